/** A finished model as the beginning of a longer one: its trees, on the bins of new data. */
import { ServiceError } from '../src/core/errors.ts'
import { BOUNDS_MAX, F32_MAX, type Bounds } from './bins.ts'
import type { Booster, Tree } from './booster.ts'

/** Trees over full rows, as they are read out of a model file. */
export interface FinishedModel {
  readonly version: string
  readonly featureHash: string
  readonly base: number
  readonly trees: readonly {
    readonly feature: readonly number[]
    readonly threshold: readonly number[]
    readonly missingLeft: readonly boolean[]
    readonly left: readonly number[]
    readonly right: readonly number[]
    readonly value: readonly number[]
    readonly cover?: readonly number[]
  }[]
}

/**
 * The thresholds of each of the columns, rising: where new data must have bounds as well, so that its
 * bins go through the trees as its values do. ServiceError MODEL_MISMATCH when there are too many.
 */
export function thresholdsOf({ trees }: FinishedModel, columns: Uint32Array): Bounds {
  const found = Array.from(columns, () => new Set<number>())
  const places = placesOf(columns)
  for (const { feature, threshold } of trees) {
    for (const [node, column] of feature.entries()) {
      if (column < 0 || threshold[node] >= F32_MAX) continue
      found[placeOf(places, column)].add(threshold[node])
    }
  }
  return found.map((thresholds, place) => {
    if (thresholds.size <= BOUNDS_MAX) return Float32Array.from(thresholds).sort()
    throw new ServiceError(
      'MODEL_MISMATCH',
      `feature ${columns[place]} has ${thresholds.size} thresholds in the model, and training can go on from ${BOUNDS_MAX} at most: train a new model`,
    )
  })
}

/** The model as a booster over the columns, with splits in bins. The bounds hold `thresholdsOf` it. */
export function boosterOf(
  { base, trees }: FinishedModel,
  columns: Uint32Array,
  bounds: Bounds,
): Booster {
  const places = placesOf(columns)
  return {
    featureCount: columns.length,
    base,
    importance: new Float64Array(columns.length),
    trees: trees.map(({ feature, threshold, missingLeft, left, right, value, cover }): Tree => {
      const place = (column: number) => (column < 0 ? -1 : placeOf(places, column))
      const binAt = (node: number) => {
        if (feature[node] < 0) return 0
        const at = bounds[placeOf(places, feature[node])].indexOf(threshold[node])
        return at < 0 ? BOUNDS_MAX : at
      }
      return {
        feature: Int32Array.from(feature, place),
        threshold: Float32Array.from(threshold),
        bin: Uint8Array.from(feature, (_, node) => binAt(node)),
        missingLeft: Uint8Array.from(missingLeft, Number),
        left: Int32Array.from(feature, (column, node) => (column < 0 ? 0 : left[node])),
        right: Int32Array.from(feature, (column, node) => (column < 0 ? 0 : right[node])),
        value: Float32Array.from(value, (leaf, node) => (feature[node] < 0 ? leaf : 0)),
        ...(cover === undefined ? {} : { cover: Float32Array.from(cover) }),
      }
    }),
  }
}

function placesOf(columns: Uint32Array): ReadonlyMap<number, number> {
  return new Map(Array.from(columns, (column, place) => [column, place]))
}

function placeOf(places: ReadonlyMap<number, number>, column: number): number {
  const place = places.get(column)
  if (place !== undefined) return place
  throw new ServiceError(
    'MODEL_MISMATCH',
    `the model splits on feature ${column}, which \`training.leave_out\` of the history manifest leaves out: keep the feature, or train a new model`,
  )
}
