/**
 * Five views of one sample: the largest standardised residual of a short and of a long exponentially
 * weighted mean, the Mahalanobis distance of the long one's residuals, the largest standardised
 * residual of the principal components, and the distance of the last samples from every usual shape. The
 * first three see what is sudden, the others also what lasts.
 */
import { Mahalanobis } from './mahalanobis.ts'
import { PrincipalResidual } from './principal.ts'
import { Residual } from './residual.ts'
import { atLeast, momentsOf, Scaler, type Moments } from './scaling.ts'
import { emptySeries, rowOf, type Series } from './series.ts'
import { Shapes, ShapeWindow } from './shapes.ts'

export const MEMBERS = [
  'suddenMax',
  'driftMax',
  'driftDistance',
  'componentMax',
  'shapeDistance',
] as const
export type Member = (typeof MEMBERS)[number]

/** In samples. */
const SHORT_HALF_LIFE = 3
const LONG_HALF_LIFE = 60

/** Deviations are no smaller: of metrics (in their own unit, 0..1), residuals and component residuals. */
const LEAST = { metric: 0.01, residual: 0.01, component: 0.05 }

/** What was learned of one node; nothing of it changes afterwards. */
export interface MemberModel {
  readonly scaling: Moments
  readonly short: Float64Array
  readonly long: Float64Array
  readonly distance: Mahalanobis
  readonly components: PrincipalResidual
  readonly component: Float64Array
  readonly shapes: Shapes
}

export function learnMembers(series: Series): MemberModel {
  const raw = momentsOf(series)
  const scaling = { mean: raw.mean, deviation: atLeast(raw.deviation, LEAST.metric) }
  const scaled = mapRows(series, scalingOf(scaling))
  const short = mapRows(scaled, residualsOf(SHORT_HALF_LIFE, series.metricCount))
  const long = mapRows(scaled, residualsOf(LONG_HALF_LIFE, series.metricCount))
  const components = new PrincipalResidual(scaled)
  const left = mapRows(scaled, (row) => components.residual(row))
  return {
    scaling,
    short: atLeast(momentsOf(short).deviation, LEAST.residual),
    long: atLeast(momentsOf(long).deviation, LEAST.residual),
    distance: new Mahalanobis(long),
    components,
    component: atLeast(momentsOf(left).deviation, LEAST.component),
    shapes: new Shapes(scaled),
  }
}

/** How far one metric is from where it was expected. */
export interface MetricDeviation {
  readonly metric: number
  readonly value: number
  readonly expected: number
  /** The larger of its standardised residuals, drift and component, without its sign. */
  readonly deviation: number
}

/** Views of one node's samples, as they come. */
export class MemberStream {
  readonly #model: MemberModel
  readonly #scaler: Scaler
  readonly #short: Residual
  readonly #long: Residual
  readonly #window = new ShapeWindow()
  readonly #values: Readonly<Record<Member, number>>
  #row: Float64Array
  #drift: Float64Array
  #left: Float64Array

  constructor(model: MemberModel) {
    const width = model.short.length
    this.#model = model
    this.#scaler = new Scaler(model.scaling)
    this.#short = new Residual(SHORT_HALF_LIFE, width)
    this.#long = new Residual(LONG_HALF_LIFE, width)
    this.#values = {
      suddenMax: 0,
      driftMax: 0,
      driftDistance: 0,
      componentMax: 0,
      shapeDistance: 0,
    }
    this.#row = new Float64Array(width)
    this.#drift = this.#row
    this.#left = this.#row
  }

  /** The same object each time, refilled. */
  push(row: Float64Array): Readonly<Record<Member, number>> {
    const { short, long, distance, components, component, shapes } = this.#model
    this.#row = this.#scaler.scale(row)
    this.#drift = this.#long.push(this.#row)
    this.#left = components.residual(this.#row)
    return Object.assign(this.#values, {
      suddenMax: largest(this.#short.push(this.#row), short),
      driftMax: largest(this.#drift, long),
      driftDistance: distance.distance(this.#drift),
      componentMax: largest(this.#left, component),
      shapeDistance: shapes.distance(this.#window.push(this.#row)),
    })
  }

  /** Metrics of the newest sample that are furthest from where they were expected, furthest first. */
  furthest(count: number): readonly MetricDeviation[] {
    const { scaling, long, component } = this.#model
    const all = Array.from(long, (_, metric) => {
      const byDrift = Math.abs(this.#drift[metric]) / long[metric]
      const byComponents = Math.abs(this.#left[metric]) / component[metric]
      const residual = byDrift >= byComponents ? this.#drift[metric] : this.#left[metric]
      const unscaled = (z: number): number => scaling.mean[metric] + z * scaling.deviation[metric]
      return {
        metric,
        value: unscaled(this.#row[metric]),
        expected: unscaled(this.#row[metric] - residual),
        deviation: Math.max(byDrift, byComponents),
      }
    })
    return all.sort((a, b) => b.deviation - a.deviation).slice(0, count)
  }
}

function scalingOf(scaling: Moments): (row: Float64Array) => Float64Array {
  const scaler = new Scaler(scaling)
  return (row) => scaler.scale(row)
}

function residualsOf(halfLife: number, width: number): (row: Float64Array) => Float64Array {
  const residual = new Residual(halfLife, width)
  return (row) => residual.push(row)
}

function mapRows(series: Series, map: (row: Float64Array) => Float64Array): Series {
  const mapped = emptySeries(series.sampleCount, series.metricCount)
  for (let i = 0; i < series.sampleCount; i++) rowOf(mapped, i).set(map(rowOf(series, i)))
  return mapped
}

function largest(residual: Float64Array, deviation: Float64Array): number {
  let max = 0
  for (let m = 0; m < residual.length; m++) {
    max = Math.max(max, Math.abs(residual[m]) / deviation[m])
  }
  return max
}
