/** What the principal components of the usual leave unexplained of a row, metric by metric. */
import { covarianceOf } from './mahalanobis.ts'
import { momentsOf } from './scaling.ts'
import type { Series } from './series.ts'

/** Share of the variance that the kept components explain. */
const EXPLAINED_RATIO = 0.95
const SWEEPS_MAX = 50

export class PrincipalResidual {
  readonly #mean: Float64Array
  /** Kept components, each a row of metricCount. */
  readonly #components: readonly Float64Array[]
  readonly #residual: Float64Array

  /** Learns the components; no value may be NaN. */
  constructor(series: Series) {
    this.#mean = momentsOf(series).mean
    this.#components = components(covarianceOf(series, this.#mean), series.metricCount)
    this.#residual = new Float64Array(series.metricCount)
  }

  /** Valid until the next call. */
  residual(row: Float64Array): Float64Array {
    const residual = this.#residual
    for (let m = 0; m < row.length; m++) residual[m] = row[m] - this.#mean[m]
    // Components are orthogonal, so each may be taken off what the one before has left.
    for (const component of this.#components) {
      let along = 0
      for (let m = 0; m < row.length; m++) along += residual[m] * component[m]
      for (let m = 0; m < row.length; m++) residual[m] -= along * component[m]
    }
    return residual
  }
}

function components(covariance: Float64Array, width: number): readonly Float64Array[] {
  const { values, vectors } = eigenOf(covariance, width)
  const order = Array.from(values.keys()).sort((a, b) => values[b] - values[a])
  const total = values.reduce((sum, value) => sum + value, 0)
  const kept: Float64Array[] = []
  let explained = 0
  for (const k of order) {
    if (explained >= EXPLAINED_RATIO * total || values[k] <= 0) break
    explained += values[k]
    kept.push(Float64Array.from({ length: width }, (_, m) => vectors[m * width + k]))
  }
  return kept
}

interface Eigen {
  readonly values: Float64Array
  /** Column k belongs to value k. */
  readonly vectors: Float64Array
}

/** Jacobi's method, in cyclic order: rotates away one element off the diagonal after another. */
function eigenOf(symmetric: Float64Array, width: number): Eigen {
  const a = symmetric.slice()
  const vectors = new Float64Array(width * width)
  for (let i = 0; i < width; i++) vectors[i * width + i] = 1
  for (let sweep = 0; sweep < SWEEPS_MAX; sweep++) {
    let rotated = false
    for (let p = 0; p < width - 1; p++) {
      for (let q = p + 1; q < width; q++) rotated = rotate(a, vectors, width, p, q) || rotated
    }
    if (!rotated) break
  }
  return { values: Float64Array.from({ length: width }, (_, i) => a[i * width + i]), vectors }
}

/** False where the element is nothing beside its diagonal. */
function rotate(a: Float64Array, v: Float64Array, width: number, p: number, q: number): boolean {
  const off = a[p * width + q]
  const [app, aqq] = [a[p * width + p], a[q * width + q]]
  if (Math.abs(off) <= 1e-14 * Math.sqrt(Math.abs(app * aqq)) || Math.abs(off) < 1e-300)
    return false
  const theta = (aqq - app) / (2 * off)
  const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1))
  const c = 1 / Math.sqrt(t * t + 1)
  const s = t * c
  for (let k = 0; k < width; k++) {
    const [akp, akq] = [a[k * width + p], a[k * width + q]]
    a[k * width + p] = c * akp - s * akq
    a[k * width + q] = s * akp + c * akq
  }
  for (let k = 0; k < width; k++) {
    const [apk, aqk] = [a[p * width + k], a[q * width + k]]
    a[p * width + k] = c * apk - s * aqk
    a[q * width + k] = s * apk + c * aqk
    const [vkp, vkq] = [v[k * width + p], v[k * width + q]]
    v[k * width + p] = c * vkp - s * vkq
    v[k * width + q] = s * vkp + c * vkq
  }
  return true
}
