/** A model's card: what it is, how it was judged, and when to act on it. Checked by a test. */
import type { AlertBudgetPoint } from './assessment.ts'

/** How well a set of scores ranks and means what it says. Ratios 0..1. */
export interface Quality {
  readonly rowCount: number
  readonly positiveCount: number
  readonly nodeCount: number
  readonly prAuc: number
  readonly rocAuc: number
  readonly threshold: number
  readonly precision: number
  readonly recall: number
  readonly brier: number
  readonly ece: number
  /** Failure minus first alert, of the failures foreseen; median. Null when none was. */
  readonly leadTimeMs: number | null
  readonly alertBudget: readonly { falseAlarmsPer1000NodeMonths: number; recall: number }[]
}

/** How a model does on one kind of failure, at its acting point. */
export interface KindQuality {
  /** False: training never saw a failure of this kind. */
  readonly trained: boolean
  readonly failureCount: number
  readonly foreseenCount: number
  /** Failure minus first alert, of those foreseen; median. */
  readonly leadTimeMs: number | null
}

export interface ModelCard {
  readonly name: string
  readonly version: string
  /** History the model was trained on: manifest name and digest of its data. */
  readonly history: string
  readonly nodeClass: string
  readonly horizonMs: number
  /** Column order of the model's input, float32 [rows, features]. */
  readonly features: readonly string[]
  /** sha256 over class, half-lives and feature names: a model is refused where it differs. */
  readonly featureHash: string
  /** Recommended acting point, a probability. */
  readonly actingPoint: number
  readonly alertBudgets: readonly AlertBudgetPoint[]
  /** sha256 of model.onnx. */
  readonly modelHash: string
  /** File with the hashes of the nodes seen in training, so that a backtest leaves them out. */
  readonly trainedNodes: string
  readonly trees: number
  readonly leavesMax: number
  readonly seed: number
  readonly validation: Quality
  readonly test: Quality
  readonly baselines: Readonly<Record<string, Quality>>
  /** On the test nodes, by kind of failure; absent or empty where the history does not name kinds. */
  readonly kinds?: Readonly<Record<string, KindQuality>>
  readonly notes: readonly string[]
}
