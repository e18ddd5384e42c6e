/** The ensemble that the benches of trees score and explain, and rows like those it was trained on. */
import { assert } from '../../src/core/errors.ts'
import { findBounds, toBinnedRows } from '../../training/bins.ts'
import { DEFAULT_BOOST, randomFrom, trainBoost } from '../../training/boost.ts'
import type { Booster } from '../../training/booster.ts'

export const TREES = 200
export const LEAVES = 31
export const FEATURES = 64
const TRAINING_ROWS = 20_000

/** With covers. */
export function trainEnsemble(module: WebAssembly.Module): Booster {
  const { matrix, labels } = makeRows(TRAINING_ROWS, 1)
  const bounds = findBounds(matrix, FEATURES)
  const rows = toBinnedRows(matrix, labels, bounds)
  const params = { ...DEFAULT_BOOST, treesMax: TREES, leavesMax: LEAVES }
  const booster = trainBoost(module, { rows, bounds, validation: null }, params)
  const leafCounts = booster.trees.map(({ feature }) => feature.filter((f) => f < 0).length)
  assert(booster.trees.length === TREES, 'training stopped early')
  assert(
    leafCounts.every((count) => count === LEAVES),
    'a tree has fewer leaves',
  )
  return booster
}

/** Each feature says a little about the label, some by being missing or together with the next. */
export function makeRows(
  count: number,
  seed: number,
): { readonly matrix: Float32Array; readonly labels: Uint8Array } {
  const random = randomFrom(seed)
  const matrix = new Float32Array(count * FEATURES)
  const labels = new Uint8Array(count)
  for (let row = 0; row < count; row++) {
    const values = matrix.subarray(row * FEATURES, (row + 1) * FEATURES)
    let margin = 0
    for (let f = 0; f < FEATURES; f++) {
      const value = random() + random() + random() - 1.5
      values[f] = random() < 0.1 ? NaN : value
      const weight = 1 / (1 + (f % 16))
      margin += weight * (f % 3 === 0 && f > 0 ? value * values[f - 1] * 2 || 0 : value)
    }
    labels[row] = random() < 1 / (1 + Math.exp(-margin)) ? 1 : 0
  }
  return { matrix, labels }
}
