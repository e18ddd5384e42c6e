/** What `npm run quality` judges, and how good each figure should be. */

export interface Reach {
  /** Where the figure stands in what `foreshock backtest --json` prints, dots between the steps. */
  readonly figure: string
  readonly atLeast?: number
  readonly atMost?: number
}

export interface Job {
  /** Of the manifest, training/histories/NAME.toml, and of the model, models/NAME. */
  readonly name: string
  /** In the data directory. */
  readonly folder: string
  /** `failure`: a model is trained, judged on nodes it never saw, and has peers in Python. */
  readonly kind: 'failure' | 'anomaly'
  readonly reach: readonly Reach[]
}

export const JOBS: readonly Job[] = [
  {
    name: 'backblaze',
    folder: 'backblaze_smart',
    kind: 'failure',
    reach: [
      { figure: 'prAuc', atLeast: 0.245 },
      { figure: 'alertBudget.0.recall', atLeast: 0.32 },
      { figure: 'alertBudget.1.recall', atLeast: 0.53 },
      { figure: 'alertBudget.2.recall', atLeast: 0.61 },
      { figure: 'recallAtPrecisionHalf', atLeast: 0.2 },
      { figure: 'brierSkill', atLeast: 0.13 },
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
      { figure: 'vusPr', atLeast: 0.56 },
      { figure: 'eventRecall', atLeast: 0.9 },
      { figure: 'falseRunsPerDay', atMost: 1 },
    ],
  },
  {
    name: 'asd',
    folder: 'asd',
    kind: 'anomaly',
    reach: [
      { figure: 'vusPr', atLeast: 0.82 },
      { figure: 'eventRecall', atLeast: 0.91 },
      { figure: 'falseRunsPerDay', atMost: 0.3 },
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

export function isReached(value: number, { atLeast, atMost }: Reach): boolean {
  return (atLeast === undefined || value >= atLeast) && (atMost === undefined || value <= atMost)
}

export function reachText({ atLeast, atMost }: Reach): string {
  if (atLeast !== undefined && atMost !== undefined) return `${atLeast} to ${atMost}`
  return atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`
}
