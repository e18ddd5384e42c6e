/**
 * What `npm run quality` judges, and how good each figure should be: on data that all are judged on as it is, a
 * number; on a split of our own, how far ahead of the best peer that was judged beside it.
 */

export interface Reach {
  /** Where the figure stands in what `foreshock backtest --json` prints, dots between the steps. */
  readonly figure: string
  readonly atLeast?: number
  readonly atMost?: number
  /** More is better, and this much more than the best peer's. */
  readonly ahead?: number
}

export interface Job {
  /** Of the manifest, training/histories/NAME.toml, and of the model, models/NAME. */
  readonly name: string
  /** In the data directory. */
  readonly folder: string
  /**
   * `failure`: a model is trained and judged on nodes it never saw. `anomaly`: each node is learned from its own
   * past, and figures are of the half of the nodes that are not for choosing. Both have peers in Python.
   */
  readonly kind: 'failure' | 'anomaly'
  readonly reach: readonly Reach[]
}

export const JOBS: readonly Job[] = [
  {
    name: 'backblaze',
    folder: 'backblaze_smart',
    kind: 'failure',
    reach: [
      { figure: 'prAuc', ahead: 0.0105 },
      { figure: 'alertBudget.0.recall', ahead: 0.02 },
      { figure: 'alertBudget.1.recall', ahead: 0.03 },
      { figure: 'alertBudget.2.recall', ahead: 0.03 },
      { figure: 'recallAtPrecisionHalf', ahead: 0.01 },
      { figure: 'brierSkill', ahead: 0.008 },
      { figure: 'calibrationSlope', atLeast: 0.9, atMost: 1.1 },
    ],
  },
  {
    name: 'azure',
    folder: 'azure_pdm',
    kind: 'failure',
    reach: [
      { figure: 'prAuc', atLeast: 0.954 },
      { figure: 'parts.without-errors.prAuc', atLeast: 0.823 },
      { figure: 'falseEpisodesAtP8', atMost: 0 },
      { figure: 'macroPrAuc', atLeast: 0.95 },
    ],
  },
  {
    name: 'cmapss',
    folder: 'cmapss',
    kind: 'failure',
    reach: [
      { figure: 'prAuc', atLeast: 0.97 },
      { figure: 'rulRmse', atMost: 12.5 },
    ],
  },
  {
    name: 'smd',
    folder: 'smd',
    kind: 'anomaly',
    reach: [
      { figure: 'halves.reported.vusPr', ahead: 0.014 },
      { figure: 'halves.reported.eventRecall', ahead: 0 },
      { figure: 'halves.reported.falseRunsPerDay', atMost: 1 },
    ],
  },
  {
    name: 'asd',
    folder: 'asd',
    kind: 'anomaly',
    reach: [
      { figure: 'halves.reported.vusPr', ahead: 0.005 },
      { figure: 'halves.reported.eventRecall', ahead: 0 },
      { figure: 'halves.reported.falseRunsPerDay', atMost: 0.3 },
    ],
  },
]

/** `undefined` where the result has no such number. */
export function figureOf(result: unknown, figure: string): number | undefined {
  let value = result
  for (const step of figure.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as Readonly<Record<string, unknown>>)[step]
  }
  return typeof value === 'number' ? value : undefined
}

/** @param peers the same figure of each peer; without one nothing is known to be ahead of it. */
export function isReached(
  value: number,
  { atLeast = -Infinity, atMost = Infinity, ahead }: Reach,
  peers: readonly number[] = [],
): boolean {
  const isAhead = ahead === undefined || (peers.length > 0 && value >= Math.max(...peers) + ahead)
  return value >= atLeast && value <= atMost && isAhead
}

export function reachText({ atLeast, atMost, ahead }: Reach): string {
  if (ahead !== undefined) return `≥ best peer + ${ahead}`
  if (atLeast !== undefined && atMost !== undefined) return `${atLeast} to ${atMost}`
  return atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`
}
