/** The parameters of training that a history manifest sets; the others are the trainer's own. */
import { DEFAULT_BOOST, type BoostParams } from './boost-params.ts'
import type { Manifest } from './manifest.ts'

export function boostParams({ training }: Manifest, seed: number): BoostParams {
  return {
    ...DEFAULT_BOOST,
    treesMax: training.trees,
    leavesMax: training.leaves,
    depthMax: training.depthMax,
    learningRate: training.learningRate,
    l1: training.l1,
    l2: training.l2,
    rowsMin: training.rowsMin,
    featureRatio: training.featureRatio,
    rowRatio: training.rowRatio,
    patience: training.patience,
    seed,
  }
}
