/** When a model takes another one's place, and when its world has changed. */
import type { ModelId, PoolId } from './ids.ts'

/** How a challenger is compared with the champion. */
export interface PromotionRules {
  /** False: figures are told, and operators decide. */
  readonly automatic: boolean
  /** Failures that both models had to foresee before they are compared for the first time. */
  readonly failuresMin: number
  /** What the challenger must be ahead: of recall (0..1), or of the Brier score as a share of it. */
  readonly margin: number
  /** Both are compared at the thresholds that keep this many false alarms per 1,000 node-months. */
  readonly falseAlarmsPer1000NodeMonths: number
  /** A challenger that has not won by then is refused. */
  readonly trialMaxMs: number
  /** Where one that has won serves first; none: it goes to the whole fleet at once. At most 64. */
  readonly canaryPools: readonly PoolId[]
  /** It serves there for so long before it goes to the fleet. */
  readonly canaryMs: number
  /** Confirmed failures of the canary pools that it is judged by. */
  readonly canaryFailuresMin: number
  /** What rows of nodes whose work was moved in time count where no failure came, 0..1; 0: nothing. */
  readonly movedWeight: number
  /** Share of what a model asked for that people may overrule before it is demoted, 0..1. */
  readonly overrideMax: number
  /** Things that it must have asked for first. */
  readonly overrideProposalsMin: number
  /** Share of the alarms without urgent work that are watched and not answered, 0..1; 0: none. */
  readonly holdOutRatio: number
  /** At most so many a pool and day. */
  readonly holdOutsPerDay: number
}

/** When a distribution counts as another one than that of training. */
export interface DriftRules {
  /** Rows of this long are one look; it should cover the cycles of the fleet, so a day or more. */
  readonly windowMs: number
  /** Population stability index from which one distribution counts as drifted. */
  readonly stabilityMax: number
  /** Share of the features that must have drifted where the score itself has not. */
  readonly featureShareMax: number
}

export const DEFAULT_PROMOTION: PromotionRules = {
  automatic: true,
  failuresMin: 20,
  margin: 0.05,
  falseAlarmsPer1000NodeMonths: 5,
  trialMaxMs: 30 * 86_400_000,
  canaryPools: [],
  canaryMs: 86_400_000,
  canaryFailuresMin: 5,
  movedWeight: 0,
  overrideMax: 0.5,
  overrideProposalsMin: 20,
  holdOutRatio: 0,
  holdOutsPerDay: 1,
}

export const DEFAULT_DRIFT: DriftRules = {
  windowMs: 86_400_000,
  stabilityMax: 0.25,
  featureShareMax: 0.1,
}

/** Partition of the pool-log where one coordinator decides for all classes which model serves. */
export const MODEL_POOL_PARTITION = 0

/** Node-log record `model`: from this offset on, in every partition alike. */
export interface ModelAssignment {
  readonly nodeClass: string
  /** Null: the one that the configuration names. */
  readonly champion: ModelId | null
  /** Scored beside it, and acted upon in the canary pools alone. */
  readonly challenger: ModelId | null
  /** The challenger serves the nodes of these pools, the champion all others; left out: of none. */
  readonly canaryPools?: readonly PoolId[]
  /** Counts the assignments of the class; outcomes say under which they were seen. */
  readonly trial: number
}

/** Pool-log record `model-refused`: a watcher cannot serve what the log names. */
export interface ModelRefusal {
  readonly source: number
  readonly nodeClass: string
  readonly trial: number
  readonly model: ModelId
  readonly reason: string
}

/** Pool-log record `model-proposal`, in `MODEL_POOL_PARTITION`: a prediction asked for something, or was overruled. */
export interface ProposalRecord {
  readonly nodeClass: string
  readonly pool: PoolId
  /** When it was asked for: what an earlier model asked for counts no longer. */
  readonly proposedAtMs: number
  /** False: it was asked for; true: people overruled it later. */
  readonly overridden: boolean
}

/** Pool-log record `model-hold-out`, in `MODEL_POOL_PARTITION`: a node that alarmed was only watched. */
export interface HoldOutRecord {
  readonly nodeClass: string
  readonly pool: PoolId
  readonly sinceMs: number
  /** Share of such alarms that were held out then, over 0. */
  readonly propensityRatio: number
  /** Within the horizon. */
  readonly failed: boolean
}

/** What became of alarms that nobody answered. */
export interface HoldOutFigures {
  readonly count: number
  readonly failureCount: number
  /** Share of such alarms that come true, whether answered or not; null before the first. */
  readonly precision: number | null
}

/** What a model asked for, and how much of it people rejected or vetoed. */
export interface ProposalCounts {
  readonly proposalCount: number
  readonly overriddenCount: number
}

/** Scores of one model at rows after which nothing happened, by bin: see `scoreBin`. */
export type ScoreCounts = Readonly<Record<number, number>>

/** A confirmed failure and the highest probability of its last horizon. */
export interface ScoredFailure {
  readonly champion: number
  readonly challenger: number | null
  /** From the first row at the champion's acting point; null: it was not reached. */
  readonly leadMs: number | null
}

/** What became of the rows that both models have scored, since the last record of this source. */
export interface OutcomeCounts {
  /** Node time lived through without a failure. */
  readonly exposureMs: number
  /** Of node horizons without a failure, the highest probability of each: false alarms by threshold. */
  readonly quiet: { readonly champion: ScoreCounts; readonly challenger: ScoreCounts }
  readonly failures: readonly ScoredFailure[]
  /** Failures of nodes without a scored row in the horizon before. */
  readonly unscoredFailureCount: number
  /** Rows whose outcome is known, by their weight, and the sum of their squared errors. */
  readonly rowCount: number
  readonly squaredErrors: { readonly champion: number; readonly challenger: number }
  /** Rows that came to nothing while work was moved off their node; left out: none. */
  readonly movedRowCount?: number
}

/** Rows by bin, and the shares that training had there; both with the missing ones last. */
export interface BinnedRows {
  readonly name: string
  readonly counts: readonly number[]
  readonly expected: readonly number[]
}

/** What one partition saw in one drift window. Empty counts where it saw no node. */
export interface DriftCounts {
  readonly window: number
  readonly nodeCount: number
  /** Nodes that training saw. */
  readonly referenceNodeCount: number
  readonly score: BinnedRows
  readonly features: readonly BinnedRows[]
}

/** Pool-log record `model-outcomes`, in `MODEL_POOL_PARTITION`. */
export interface OutcomeRecord {
  readonly source: number
  readonly nodeClass: string
  readonly trial: number
  readonly champion: ModelId | null
  readonly outcomes: OutcomeCounts
  /** Of the window that has just ended; null in between, and where the model has no reference. */
  readonly drift: DriftCounts | null
}

export const SCORE_BINS = 256
const LOGIT_MAX = 12

/** Bins of equal width in log odds: as fine at one in a thousand as at one half. */
export function scoreBin(probability: number): number {
  const logit = Math.log(probability / (1 - probability))
  const bin = Math.floor(((logit + LOGIT_MAX) / (2 * LOGIT_MAX)) * SCORE_BINS)
  return Math.min(SCORE_BINS - 1, Math.max(0, bin))
}

/** The lowest probability of a bin. */
export function scoreOfBin(bin: number): number {
  const logit = (bin / SCORE_BINS) * 2 * LOGIT_MAX - LOGIT_MAX
  return 1 / (1 + Math.exp(-logit))
}

/** How one model does on confirmed outcomes, at the threshold that keeps the alert budget. */
export interface ModelFigures {
  readonly threshold: number
  readonly recall: number | null
  readonly falseAlarmsPer1000NodeMonths: number
  readonly brier: number | null
}

/** A feature or the score, against its distribution in training. */
export interface DriftFinding {
  readonly name: string
  /** Population stability index, less what chance alone would give. */
  readonly stability: number
}

export const TRIAL_KINDS = ['challenge', 'canary', 'probation'] as const
export type TrialKind = (typeof TRIAL_KINDS)[number]

/** Body of a record in the compacted topic `models`, by node class. */
export interface ClassModels {
  readonly nodeClass: string
  readonly atMs: number
  readonly champion: ModelId | null
  /** What a rollback goes back to. */
  readonly previous: ModelId | null
  readonly challenger: ModelId | null
  /**
   * `canary`: the challenger serves `canaryPools`, and the figures are of these alone.
   * `probation`: the one before goes on beside the one that took its place.
   */
  readonly trial: TrialKind | null
  readonly canaryPools: readonly PoolId[]
  readonly sinceMs: number
  readonly failureCount: number
  readonly exposureMs: number
  /** Rows of nodes whose work was moved in time: they count `movedWeight` in the figures. */
  readonly movedRowCount: number
  readonly movedWeight: number
  readonly figures: {
    readonly champion: ModelFigures | null
    readonly challenger: ModelFigures | null
  }
  /** Since `sinceMs`. */
  readonly proposals: { readonly champion: ProposalCounts; readonly challenger: ProposalCounts }
  readonly holdOuts: { readonly champion: HoldOutFigures; readonly challenger: HoldOutFigures }
  /** People overrule the champion more often than `promotion.override_max`. */
  readonly overruled: boolean
  /** Median over the failures foreseen at the acting point. */
  readonly leadTimeMs: number | null
  readonly drift: {
    readonly atMs: number
    readonly drifted: boolean
    readonly score: number
    /** The most drifted, first. */
    readonly features: readonly DriftFinding[]
    readonly featureShare: number
  } | null
  /** The newest sentence of the journal. */
  readonly lastChange: string | null
}
