/**
 * The frame of every benchmark: candidates are run in turns within one process or one run, so that
 * a noisy machine slows them alike, and what is reported and judged is their ratio.
 */
import type { ScoreRow } from '../src/commands/scoreboard.ts'
import { median } from '../training/alerts.ts'

/**
 * One line of the table. `value` is the median ratio rival time ÷ our time (how many times faster), or
 * a plain figure.
 */
export interface BenchRow extends ScoreRow {
  /** Smallest and largest ratio over the rounds. */
  readonly spread?: readonly [number, number]
  /** Of a value that had better be small; a ratio to a rival had better be large. */
  readonly better?: 'less'
  /** Absolute figures for the record, e.g. `{ ours: 2.4e6, rival: 3.1e5, unit: 'rows/s' }`; never judged. */
  readonly figures?: Readonly<Record<string, number | string>>
}

export interface BenchContext {
  /** Fewer rounds and smaller sizes: for the gate in the test run. */
  readonly quick: boolean
  readonly log: (text: string) => void
}

export interface Bench {
  readonly name: string
  /** A rival that is not installed gives a row that says so, with `value: null` and `ok: true`. */
  run(context: BenchContext): Promise<readonly BenchRow[]>
}

/** Times of each round, ms per call of the candidate. */
export type Times = Readonly<Record<string, readonly number[]>>

/**
 * Runs each candidate once to warm up and check it, then `rounds` times in turns, in an order that
 * changes from round to round. A candidate does its whole work once per call.
 */
export async function alternate(
  rounds: number,
  candidates: Readonly<Record<string, () => unknown>>,
): Promise<Times> {
  const names = Object.keys(candidates)
  const times: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]))
  for (const name of names) await candidates[name]()
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length]
      const beganAtMs = performance.now()
      await candidates[name]()
      times[name].push(performance.now() - beganAtMs)
    }
  }
  return times
}

/**
 * As `alternate`, for candidates that measure themselves: each is run `passes` times a round, and the
 * fastest counts. A pass takes less time than a busy machine gives in one go, so that it was not broken off.
 */
export async function alternateFastest(
  rounds: number,
  passes: number,
  candidates: Readonly<Record<string, () => number | Promise<number>>>,
): Promise<Times> {
  const times: Record<string, number[]> = {}
  const fastest = async (name: string): Promise<void> => {
    let ms = Infinity
    for (let pass = 0; pass < passes; pass++) ms = Math.min(ms, await candidates[name]())
    ;(times[name] ??= []).push(ms)
  }
  const names = Object.keys(candidates)
  await alternate(rounds, Object.fromEntries(names.map((name) => [name, () => fastest(name)])))
  // The first of each warmed up.
  return Object.fromEntries(names.map((name) => [name, times[name].slice(1)]))
}

/** Ms that some work takes. */
export function timed(work: () => unknown): number {
  const beganAtMs = performance.now()
  work()
  return performance.now() - beganAtMs
}

/** How many times faster `ours` is than `rival`: median over rounds of the ratio within each round. */
export function ratioRow(
  what: string,
  against: string,
  times: Times,
  { ours, rival, reach }: { readonly ours: string; readonly rival: string; readonly reach: number },
  figures: BenchRow['figures'] = {},
): BenchRow {
  const ratios = times[ours].map((ms, round) => times[rival][round] / ms)
  const value = median(ratios)
  return {
    what,
    against,
    value,
    reach,
    ok: value !== null && value >= reach,
    spread: [Math.min(...ratios), Math.max(...ratios)],
    figures: {
      oursMsMedian: median(times[ours]) ?? 0,
      rivalMsMedian: median(times[rival]) ?? 0,
      ...figures,
    },
  }
}

/** A rival that this machine does not have. */
export function missingRow(what: string, against: string, reach: number, why: string): BenchRow {
  return { what, against: `${against} (not here: ${why})`, value: null, reach, ok: true }
}
