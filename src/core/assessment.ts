/** What a watcher says of its nodes: liveness, health, failure probability. It sees; it never acts. */
import type { NodeId, PoolId } from './ids.ts'

/** `unknown`: our own view is late or cut off, so nothing is said. It is never the same as silent. */
export type Liveness = 'live' | 'silent' | 'unknown'

/** Where a feature lay in four of five rows of training, to the nearest bin of the model's reference. */
export interface ExpectedRange {
  readonly low: number
  /** Null: beyond the last bound of the reference, so all that is above `low` is usual. */
  readonly high: number | null
  /** What `low` and `high` are, of the rows that had a value. */
  readonly quantiles: readonly [low: number, high: number]
}

/** Why a feature pushes the probability: the value, and its share of the margin. */
export interface Contribution {
  readonly feature: string
  /** Null: it is missing. */
  readonly value: number | null
  /** Null: the model has no reference of the feature. */
  readonly expected: ExpectedRange | null
  /** Share of the node's cohort that its metric is above, 0..1; null where the cohort is not counted. */
  readonly peerPercentile: number | null
  /** In the model's margin (log odds). */
  readonly contribution: number
}

/**
 * Where contributions come from. `tree-shap`: exact Shapley values, which add up to the margin;
 * `occlusion`: what the margin loses without the feature, of any model.
 */
export type Explanation = 'tree-shap' | 'occlusion'

/** The model behind a set of assessments, with the acting points its card recommends. */
export interface ModelRef {
  readonly version: string
  readonly featureHash: string
  readonly horizonMs: number
  /** `cpu`, `webgpu`, `cuda` (ONNX Runtime) or `wasm`. */
  readonly provider: string
  readonly explanation: Explanation
  readonly actingPoint: number
  readonly alertBudgets: readonly AlertBudgetPoint[]
}

export interface AlertBudgetPoint {
  readonly falseAlarmsPer1000NodeMonths: number
  readonly probability: number
}

/** A node that does what it never did, by the metric that shows it most. */
export interface NodeAnomaly {
  readonly metric: string
  readonly value: number
  readonly expected: number
  /** Largest residual of a metric over its own deviation, and where the node's own past puts the alarm. */
  readonly deviation: number
  readonly threshold: number
}

/**
 * Newest values of the metrics that detectors look at, by metric: gauges in ms (those of the network
 * apart), and shares of a resource. What is missing is left out.
 */
export interface Readings {
  readonly networkMs: Readonly<Record<string, number>>
  readonly latencyMs: Readonly<Record<string, number>>
  /** 0..1. */
  readonly usageRatio: Readonly<Record<string, number>>
}

export interface Assessment {
  readonly node: NodeId
  readonly pool: PoolId
  readonly class: string
  readonly liveness: Liveness
  /** Public append time of the newest sign of life, ms. */
  readonly lastSeenAtMs: number
  /** Observed time since then, ms: what we missed ourselves does not count. */
  readonly silentForMs: number
  /** 0 (unusable) to 1 (healthy); null before the first sample. */
  readonly health: number | null
  /** P(failure within the model's horizon); null without a model for the class. */
  readonly probability: number | null
  /** `grid`: at a grid time, as in training. `change`: at once, for acting early. */
  readonly trigger: 'grid' | 'change' | 'liveness'
  readonly top: readonly Contribution[]
  /** At the grid time at which an anomaly begins; `warming-up`: too little is known of the node yet. */
  readonly anomaly?: NodeAnomaly | 'warming-up'
  /** Absent where the row is about liveness alone, or the class has no such metrics. */
  readonly readings?: Readings
  /** Suspicion (phi accrual) of a node that is quiet but not yet silent; absent while it is not. */
  readonly phi?: number
}

/** Pool-log record `assessment`: rows of one pool-log partition, from one folded record. */
export interface AssessmentRecord {
  readonly source: number
  readonly atMs: number
  readonly model: ModelRef | null
  /** This watcher's own view is behind: its nodes are `unknown`. Sent once when it begins and once when it ends. */
  readonly late: boolean
  readonly rows: readonly Assessment[]
}
