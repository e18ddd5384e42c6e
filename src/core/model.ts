/** A model's card: what it is, how it was judged, and when to act on it. Checked by a test. */
import type { Calibration, CalibrationTrial } from './calibration.ts'
import type { AlertBudgetPoint } from './assessment.ts'
import type { ModelId } from './ids.ts'
import type { CalibrationSpread } from './probability-interval.ts'

/** What `inference.provider` may name: a runtime that must serve, or the first that can. */
export const PROVIDER_CHOICES = ['auto', 'cuda', 'webgpu', 'wasm', 'cpu'] as const
export type ProviderChoice = (typeof PROVIDER_CHOICES)[number]

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
  /** Highest share of positive rows found while at least half of the rows found are positive. */
  readonly recallAtPrecisionHalf: number
  readonly brier: number
  /** 1 - Brier score / that of always saying the base rate: 0 is no better than that, 1 is perfect. */
  readonly brierSkill: number
  readonly ece: number
  /**
   * Of a logistic regression of the labels on the log odds of the probabilities: 1 is as spread as
   * it should be, less is too sure of itself. Null where the scores are no probabilities.
   */
  readonly calibrationSlope: number | null
  /** Failure minus first alert, of the failures foreseen; median. Null when none was. */
  readonly leadTimeMs: number | null
  readonly alertBudget: readonly { falseAlarmsPer1000NodeMonths: number; recall: number }[]
}

/** What a kind of feature is worth: PR-AUC of small models on validation, one for each seed. */
export interface Ablation {
  readonly change: string
  readonly prAuc: readonly number[]
}

/** What acting at a probability would have brought: one point of the trade-off. */
export interface TradeoffPoint {
  readonly probability: number
  readonly alertsPer1000NodeMonths: number
  readonly falseAlarmsPer1000NodeMonths: number
  /** Share of the alerts after which the node failed within the horizon. */
  readonly precision: number
  /** Share of the failures foreseen early enough. */
  readonly recall: number
  readonly missedPer1000NodeMonths: number
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

/** A ranking of rows with and without a failure ahead. */
export interface Ranking {
  readonly rowCount: number
  readonly positiveCount: number
  readonly prAuc: number
  readonly rocAuc: number
}

/** How far off the remaining life is at the last row of nodes cut off alive, in prediction intervals. */
interface RemainingError {
  /** Null where no model says a remaining life, or no node was cut off. */
  readonly rulRmse: number | null
  /** Against a truth that is capped as the estimate is. */
  readonly rulCappedRmse: number | null
  readonly rulNodeCount: number
}

/** How well a model does with all its parts. */
export interface Figures extends Ranking, RemainingError {
  readonly failureCount: number
  /** Failures with a row at a probability of 0.8 or more in their last horizon. */
  readonly caughtAtP8: number
  /** Runs of a node's rows at 0.8 or more none of which has a failure ahead. */
  readonly falseEpisodesAtP8: number
  /** Mean PR-AUC over the parts that say which kind of failure it will be; null without. */
  readonly macroPrAuc: number | null
  readonly parts: Readonly<Record<string, Ranking>>
  /** By pool, where there are several. */
  readonly pools: Readonly<Record<string, Ranking & RemainingError>>
}

/** A further model of the same features, for another question. */
export interface CardPart {
  readonly name: string
  /** Within the model's. */
  readonly directory: string
  /** `remaining`: the margin is the share of the horizon that is used up. */
  readonly target: 'failure' | 'remaining'
  readonly horizonMs: number
  /** Null: failures of any kind. */
  readonly failureKind: string | null
}

/** A model of a shorter horizon on the same features; judged as it is served, never over the next longer one. */
export interface CardHorizon {
  /** Such as `24h`. */
  readonly name: string
  readonly horizonMs: number
  /** In the model's directory. */
  readonly file: string
  /** sha256 of the file. */
  readonly modelHash: string
  readonly exported?: ExportCheck
  readonly trees: number
  readonly calibration: Calibration
  readonly calibrationTrials?: readonly CalibrationTrial[]
  readonly calibrationSpread: CalibrationSpread | null
  readonly validation: Quality
  readonly test: Quality
}

/** Largest differences in probability between the trainer and the exported file, on `rows` rows. */
export interface ExportCheck {
  readonly rows: number
  /** model.onnx as it is, on the CPU. */
  readonly treeEnsemble: number
  /** The form that GPUs run; null where the model has none. */
  readonly denseForm: number | null
}

/** Rows that came to nothing while work was moved off their node: whether it would have failed is unknown. */
export interface MovedLabels {
  readonly rowCount: number
  readonly nodeCount: number
  /** What each weighed where it was learned from, 0..1; 0: it was left out. Nothing was judged by them. */
  readonly weight: number
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
  /** Of models trained here. */
  readonly calibration?: Calibration
  /** By which its kind was chosen; absent where the history fixes it or is too small to tell. */
  readonly calibrationTrials?: readonly CalibrationTrial[]
  /** Absent or null: predictions carry no interval. */
  readonly calibrationSpread?: CalibrationSpread | null
  /** sha256 of model.onnx. */
  readonly modelHash: string
  /** Of models trained here. */
  readonly exported?: ExportCheck
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
  /** Rising in horizon, all below the model's own; absent where it has but one. */
  readonly horizons?: readonly CardHorizon[]
  readonly parts?: readonly CardPart[]
  readonly figures?: { readonly validation: Figures; readonly test: Figures }
  /** Absent where training saw no node that was moved. */
  readonly movedLabels?: MovedLabels
  /** Absent where it was not measured. */
  readonly ablation?: readonly Ablation[]
  readonly notes: readonly string[]
}

/** How values lay in training: shares of the rows by bin. */
export interface Distribution {
  /** Rising; a value at or below a bound and above the one before is in its bin, the rest above all. */
  readonly bounds: readonly number[]
  /** One more than bounds, and one more for the rows that had no value; they add up to 1. */
  readonly shares: readonly number[]
}

/** `reference.json` beside the card: what drift is measured against. A model may lack it. */
export interface ModelReference {
  /** Nodes that the rows were of: rows of one node are alike, so this says how sure the shares are. */
  readonly nodeCount: number
  readonly score: Distribution
  readonly features: Readonly<Record<string, Distribution>>
}

export const REFERENCE_FILE = 'reference.json'

/** The file that lists the others of a stored model. */
export const LISTING_FILE = 'files.sha256'

/** What a model's directory may hold. Any file of it is part of what the model is. */
export const MODEL_FILES_MAX = 16
export const MODEL_FILE_BYTES_MAX = 268_435_456

export interface ListedFile {
  readonly name: string
  /** 64 hex digits. */
  readonly sha256: string
}

/**
 * What a model is made of, as `sha256sum` writes it: one line a file, by name. The sha256 of this text
 * is the model's id, so whoever has the id can check all that a stranger sends.
 */
export function writeListing(files: readonly ListedFile[]): string {
  const sorted = files.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return sorted.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join('')
}

/** `undefined` for a text that `writeListing` does not write. */
export function readListing(text: string): readonly ListedFile[] | undefined {
  const lines = text.split('\n')
  if (lines.pop() !== '' || lines.length > MODEL_FILES_MAX) return undefined
  const files: ListedFile[] = []
  for (const line of lines) {
    const match = /^([0-9a-f]{64}) {2}(\S+)$/.exec(line)
    if (match === null || !isModelFileName(match[2])) return undefined
    files.push({ sha256: match[1], name: match[2] })
  }
  return writeListing(files) === text && files.length > 0 ? files : undefined
}

/** Safe as a part of a path and of a URL. */
export function isModelFileName(name: string): boolean {
  return /^[a-z0-9][a-z0-9._-]{0,63}$/.test(name) && name !== LISTING_FILE
}

export function isModelId(text: string): text is ModelId {
  return /^[0-9a-f]{64}$/.test(text)
}
