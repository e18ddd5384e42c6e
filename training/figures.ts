/**
 * What a model and its parts are worth beyond one ranking: failures caught and false episodes at 0.8, the
 * ranking by kind of failure and by pool, and the error of the remaining life.
 */
import type { CardPart, Figures, Ranking } from '../src/core/model.ts'
import type { Lives } from './labels.ts'
import { averagePrecision, rocArea } from './quality.ts'
import type { RowFacts } from './row-store.ts'

/** Rows in the order of folding, in which those of a node are in time order. */
export interface FiguredRows {
  readonly facts: Omit<RowFacts, 'rules'>
  readonly lives: Lives
  readonly probabilities: ArrayLike<number>
  /** Probabilities, or shares used up. */
  readonly parts: readonly { readonly part: CardPart; readonly scores: ArrayLike<number> }[]
  /** The unit of time in which the error of a remaining life is told. */
  readonly intervalMs: number
}

/** An operator who asks for certainty asks for this much. */
const SURE = 0.8

export function figuresOf(rows: FiguredRows): Figures {
  const { facts, lives, probabilities } = rows
  const parts: Record<string, Ranking> = {}
  const byKind: number[] = []
  for (const { part, scores } of rows.parts) {
    if (part.target !== 'failure') continue
    const ranking = rankPart(facts, lives, part, scores)
    parts[part.name] = ranking
    if (part.failureKind !== null && ranking.positiveCount > 0) byKind.push(ranking.prAuc)
  }
  const everywhere = facts.labels.keys()
  return {
    ...rank(facts.labels, probabilities, [...everywhere]),
    ...sureOnes(facts, probabilities),
    macroPrAuc: byKind.length === 0 ? null : mean(byKind),
    parts,
    pools: byPool(rows),
    ...remainingError(rows, () => true),
  }
}

function rank(labels: Uint8Array, scores: ArrayLike<number>, chosen: readonly number[]): Ranking {
  const picked = Uint8Array.from(chosen, (i) => labels[i])
  const values = Float64Array.from(chosen, (i) => scores[i])
  return {
    rowCount: chosen.length,
    positiveCount: picked.reduce((sum, label) => sum + label, 0),
    prAuc: averagePrecision(values, picked),
    rocAuc: rocArea(values, picked),
  }
}

function rankPart(
  facts: FiguredRows['facts'],
  lives: Lives,
  { horizonMs, failureKind }: CardPart,
  scores: ArrayLike<number>,
): Ranking {
  const labels = new Uint8Array(facts.node.length)
  const known: number[] = []
  for (let i = 0; i < labels.length; i++) {
    const label = lives.labelOf(facts.node[i], facts.atMs[i], horizonMs, failureKind ?? undefined)
    if (label.kind === 'positive' || label.kind === 'negative') known.push(i)
    labels[i] = label.kind === 'positive' ? 1 : 0
  }
  return rank(labels, scores, known)
}

/** A false episode is a run of a node's rows at 0.8 or more, none of which has a failure ahead. */
function sureOnes(
  facts: FiguredRows['facts'],
  scores: ArrayLike<number>,
): Pick<Figures, 'failureCount' | 'caughtAtP8' | 'falseEpisodesAtP8'> {
  const failures = new Set<string>()
  const caught = new Set<string>()
  /** By node: whether its run so far is false; absent between runs. */
  const runs = new Map<number, boolean>()
  let falseCount = 0
  const end = (node: number): void => {
    if (runs.get(node) === true) falseCount++
    runs.delete(node)
  }
  for (let i = 0; i < scores.length; i++) {
    const node = facts.node[i]
    const isPositive = facts.labels[i] === 1
    const failure = `${node} ${facts.failureAtMs[i]}`
    if (isPositive) failures.add(failure)
    if (scores[i] < SURE) {
      end(node)
      continue
    }
    if (isPositive) caught.add(failure)
    runs.set(node, !isPositive && runs.get(node) !== false)
  }
  for (const node of runs.keys()) end(node)
  return {
    failureCount: failures.size,
    caughtAtP8: caught.size,
    falseEpisodesAtP8: falseCount,
  }
}

/** Only where the nodes are of several pools. */
function byPool(rows: FiguredRows): Figures['pools'] {
  const { facts, lives } = rows
  const members = new Map<string, number[]>()
  for (const [i, node] of facts.node.entries()) {
    const pool = lives.poolOf(node) ?? ''
    const others = members.get(pool)
    if (others === undefined) members.set(pool, [i])
    else others.push(i)
  }
  if (members.size < 2) return {}
  const pools = [...members].sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(
    pools.map(([pool, chosen]) => [
      pool,
      {
        ...rank(facts.labels, rows.probabilities, chosen),
        ...remainingError(rows, (node) => lives.poolOf(node) === pool),
      },
    ]),
  )
}

type RemainingError = Pick<Figures, 'rulRmse' | 'rulCappedRmse' | 'rulNodeCount'>

/** At the last row of each node that was cut off alive and whose failure is known all the same. */
function remainingError(rows: FiguredRows, wanted: (node: number) => boolean): RemainingError {
  const { facts, lives, parts, intervalMs } = rows
  const remaining = parts.find(({ part }) => part.target === 'remaining')
  if (remaining === undefined) return { rulRmse: null, rulCappedRmse: null, rulNodeCount: 0 }
  const cap = remaining.part.horizonMs / intervalMs
  const last = new Map<number, number>()
  for (const [i, node] of facts.node.entries()) {
    if (lives.wasCutOff(node) && wanted(node)) last.set(node, i)
  }
  const squares: number[] = []
  const cappedSquares: number[] = []
  for (const [node, i] of last) {
    const truth = (lives.nextFailureAtMs(node, facts.atMs[i]) - facts.atMs[i]) / intervalMs
    if (!Number.isFinite(truth)) continue
    const used = Math.min(Math.max(remaining.scores[i], 0), 1)
    const said = cap * (1 - used)
    squares.push((said - truth) ** 2)
    cappedSquares.push((said - Math.min(truth, cap)) ** 2)
  }
  const rootMean = (values: readonly number[]) =>
    values.length === 0 ? null : Math.sqrt(mean(values))
  return {
    rulRmse: rootMean(squares),
    rulCappedRmse: rootMean(cappedSquares),
    rulNodeCount: squares.length,
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
