/**
 * Whether a tuned policy takes the place of the one in force: judged once, in worlds that the search never saw,
 * both in the same ones. The gain is the share of the cost that is saved over all worlds together; its interval
 * is that of the bootstrap (Efron, 1979) over worlds, pairs being drawn as pairs.
 */
import { Random } from '../../fleet/random.ts'

/** Less is not worth a change that people have to understand. */
export const GAIN_MIN = 0.2
const RESAMPLES = 2_000
const CONFIDENCE = 0.95

export interface Verdict {
  /** 1 − cost of the tuned over cost of the unchanged; below 0 it costs more. */
  readonly gainRatio: number
  /** Of 95 %. */
  readonly interval: readonly [low: number, high: number]
  readonly adopted: boolean
}

/** Costs by world, in the same order. The same seed gives the same interval. */
export function judge(
  unchanged: readonly number[],
  tuned: readonly number[],
  seed: number,
): Verdict {
  const worlds = [...unchanged.keys()]
  const gainOf = (drawn: readonly number[]): number => {
    const sumOf = (costs: readonly number[]) => drawn.reduce((sum, world) => sum + costs[world], 0)
    const before = sumOf(unchanged)
    // Where nothing was lost nothing can be saved.
    return before === 0 ? 0 : 1 - sumOf(tuned) / before
  }
  const random = new Random(seed, 'tuning/bootstrap')
  const gains = Array.from({ length: RESAMPLES }, () => {
    return gainOf(worlds.map(() => random.index(worlds.length)))
  }).sort((a, b) => a - b)
  const tail = Math.floor((RESAMPLES * (1 - CONFIDENCE)) / 2)
  const interval = [gains[tail], gains[RESAMPLES - 1 - tail]] as const
  const gainRatio = gainOf(worlds)
  return { gainRatio, interval, adopted: gainRatio >= GAIN_MIN && interval[0] > 0 }
}
