/** What a training is told: parameters, rows, and what is known of the features. */
import type { BinnedRows, Bounds } from './bins.ts'

export interface BoostParams {
  /**
   * `logistic`: labels 0 and 1, margins are log odds. `softmax`: labels are class numbers, a margin per
   * class. `squared`: `targets`, and margins are their estimates.
   */
  readonly objective: 'logistic' | 'softmax' | 'squared'
  /** Of `softmax`. */
  readonly classCount: number
  /** Rounds: trees, or trees per class. Those of a model that is continued are not counted. */
  readonly treesMax: number
  readonly leavesMax: number
  /** Splits from the root to a leaf; 0: as many as it takes. */
  readonly depthMax: number
  readonly learningRate: number
  readonly l1: number
  readonly l2: number
  /** Fewest rows in a leaf, estimated through the hessian. */
  readonly rowsMin: number
  readonly hessianMin: number
  /** Share of the features that one tree may use. */
  readonly featureRatio: number
  /** Share of the rows that one tree learns from. */
  readonly rowRatio: number
  /** Stop when this many rounds brought no better quality on the validation rows. */
  readonly patience: number
  readonly seed: number
}

export const DEFAULT_BOOST: BoostParams = {
  objective: 'logistic',
  classCount: 2,
  treesMax: 400,
  leavesMax: 31,
  depthMax: 0,
  learningRate: 0.05,
  l1: 0,
  l2: 1,
  rowsMin: 40,
  hessianMin: 1e-3,
  featureRatio: 0.7,
  rowRatio: 1,
  patience: 100,
  seed: 1,
}

export interface BoostData {
  readonly rows: BinnedRows
  readonly bounds: Bounds
  readonly validation: BinnedRows | null
  /** Per feature: 1 where the margin may only rise with it, -1 where it may only fall. */
  readonly monotone?: readonly (-1 | 0 | 1)[]
  /** Per feature: its numbers are names, and splits single one out instead of cutting the order. */
  readonly categorical?: readonly boolean[]
}

/** Trees per round. */
export function outputCount({ objective, classCount }: BoostParams): number {
  return objective === 'softmax' ? classCount : 1
}
