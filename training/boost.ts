/**
 * Gradient-boosted trees, grown leaf by leaf on histograms (second order, logistic loss), in WASM.
 *
 * The same data, parameters and seed give the same trees on every machine: random numbers come from
 * the seed, sums are integers, and `exp` is the module's own.
 */
import { assert } from '../src/core/errors.ts'
import { averagePrecision } from './quality.ts'
import type { BinnedRows, Bounds } from './bins.ts'
import { openBoostMemory, type BoostMemory } from './boost-memory.ts'
import { growTree } from './boost-tree.ts'
import type { Booster, Tree } from './booster.ts'

export interface BoostParams {
  readonly treesMax: number
  readonly leavesMax: number
  readonly learningRate: number
  readonly l2: number
  /** Fewest rows in a leaf, estimated through the hessian. */
  readonly rowsMin: number
  readonly hessianMin: number
  /** Share of the features that one tree may use. */
  readonly featureRatio: number
  /** Share of the rows that one tree learns from. */
  readonly rowRatio: number
  /** Stop when this many trees brought no better average precision on the validation rows. */
  readonly patience: number
  readonly seed: number
}

export const DEFAULT_BOOST: BoostParams = {
  treesMax: 400,
  leavesMax: 31,
  learningRate: 0.05,
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
}

export interface BoostProgress {
  readonly trees: number
  readonly treesMax: number
  /** Average precision on the validation rows, when last ranked; null without. */
  readonly validation: number | null
}

/** How often the validation rows are ranked: sorting them costs about as much as a tree. */
const TREES_PER_CHECK = 10

/** `growBoost` at one go. */
export function trainBoost(
  module: WebAssembly.Module,
  data: BoostData,
  params: BoostParams,
  onProgress: (progress: BoostProgress) => void = () => {},
): Booster {
  const growing = growBoost(module, data, params)
  for (;;) {
    const step = growing.next()
    if (step.done === true) return step.value
    onProgress(step.value)
  }
}

/** Yields after each tree, so that the caller can let others run, or stop. */
export function* growBoost(
  module: WebAssembly.Module,
  data: BoostData,
  params: BoostParams,
): Generator<BoostProgress, Booster> {
  const { rows, validation } = data
  assert(rows.rowCount > 0 && params.leavesMax >= 2 && params.leavesMax <= 4_096)
  const memory = openBoostMemory(module, rows, validation, params.leavesMax)
  const random = randomFrom(params.seed)
  const base = baseMargin(rows)
  scoresOf(memory, rows).fill(base)
  validationScores(memory, validation).fill(base)
  const importance = new Float64Array(rows.featureCount)
  const trees: Tree[] = []
  let best = { trees: 0, quality: -1 }
  let quality: number | null = null
  while (trees.length < params.treesMax) {
    const tree = growTree({ memory, data, params, random, importance })
    if (tree === null) break
    trees.push(tree)
    const ranked = trees.length % TREES_PER_CHECK === 0 || trees.length === params.treesMax
    if (ranked) quality = rankValidation(memory, validation)
    yield { trees: trees.length, treesMax: params.treesMax, validation: quality }
    if (!ranked || quality === null) continue
    if (quality > best.quality) best = { trees: trees.length, quality }
    else if (trees.length - best.trees >= params.patience) break
  }
  const kept = validation === null || best.trees === 0 ? trees : trees.slice(0, best.trees)
  return { featureCount: rows.featureCount, base, trees: kept, importance }
}

function rankValidation(memory: BoostMemory, validation: BinnedRows | null): number | null {
  if (validation === null || validation.rowCount === 0) return null
  return averagePrecision(validationScores(memory, validation), validation.labels)
}

function scoresOf({ buffer, layout }: BoostMemory, rows: BinnedRows): Float64Array {
  return new Float64Array(buffer, layout.scores, rows.rowCount)
}

function validationScores({ buffer, layout }: BoostMemory, rows: BinnedRows | null): Float64Array {
  return new Float64Array(buffer, layout.validationScores, rows?.rowCount ?? 0)
}

/** Log odds of the weighted base rate, an f32 so that every runtime starts from the same number. */
function baseMargin(rows: BinnedRows): number {
  let positive = 0
  let total = 0
  for (let i = 0; i < rows.rowCount; i++) {
    total += rows.weights[i]
    if (rows.labels[i] === 1) positive += rows.weights[i]
  }
  const rate = Math.min(Math.max(positive / total, 1e-6), 1 - 1e-6)
  return Math.fround(Math.log(rate / (1 - rate)))
}

/** xorshift32 over the seed: 0..1. */
export function randomFrom(seed: number): () => number {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state / 2 ** 32
  }
}
