/**
 * Six views of one sample, each from 0 on. What is sudden: how many metrics jump how far at once, and the
 * mean of the five largest standardised residuals of a short exponentially weighted mean. What drifts: the
 * largest standardised residual of a long one, and the Mahalanobis distance of all of them. What also
 * lasts: the largest standardised residual of the principal components, and the distance of the last
 * samples from every usual shape.
 */
import { jointJump } from './joint-jump.ts'
import { Mahalanobis } from './mahalanobis.ts'
import { PrincipalResidual } from './principal.ts'
import { Residual } from './residual.ts'
import { atLeast, momentsOf, Scaler, type Moments } from './scaling.ts'
import { emptySeries, rowOf, type Series } from './series.ts'
import { Shapes, ShapeWindow } from './shapes.ts'

export type Member =
  | 'jointJump'
  | 'suddenMost'
  | 'driftMax'
  | 'driftDistance'
  | 'componentMax'
  | 'shapeDistance'
export type MemberValues = Readonly<Record<Member, number>>

/** In samples. */
const JUMP_HALF_LIFE = 1
const SHORT_HALF_LIFE = 3
const LONG_HALF_LIFE = 60

/** One metric that spikes is often noise of its own; few anomalies move fewer. */
const SUDDEN_METRICS = 5

/** Deviations are no smaller: of metrics (in their own unit, 0..1), residuals and component residuals. */
const LEAST = { metric: 0.01, residual: 0.01, component: 0.05 }

/** What was learned of one node; nothing of it changes afterwards. */
export interface MemberModel {
  readonly scaling: Moments
  readonly jump: Float64Array
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
  const jump = mapRows(scaled, residualsOf(JUMP_HALF_LIFE, series.metricCount))
  const short = mapRows(scaled, residualsOf(SHORT_HALF_LIFE, series.metricCount))
  const long = mapRows(scaled, residualsOf(LONG_HALF_LIFE, series.metricCount))
  const components = new PrincipalResidual(scaled)
  const left = mapRows(scaled, (row) => components.residual(row))
  return {
    scaling,
    jump: atLeast(momentsOf(jump).deviation, LEAST.residual),
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
  readonly #jump: Residual
  readonly #short: Residual
  readonly #long: Residual
  readonly #window = new ShapeWindow()
  readonly #values: MemberValues
  #row: Float64Array
  #drift: Float64Array
  #left: Float64Array

  constructor(model: MemberModel) {
    const width = model.short.length
    this.#model = model
    this.#scaler = new Scaler(model.scaling)
    this.#jump = new Residual(JUMP_HALF_LIFE, width)
    this.#short = new Residual(SHORT_HALF_LIFE, width)
    this.#long = new Residual(LONG_HALF_LIFE, width)
    this.#values = {
      jointJump: 0,
      suddenMost: 0,
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
  push(row: Float64Array): MemberValues {
    const { jump, short, long, distance, components, component, shapes } = this.#model
    this.#row = this.#scaler.scale(row)
    this.#drift = this.#long.push(this.#row)
    this.#left = components.residual(this.#row)
    return Object.assign(this.#values, {
      jointJump: jointJump(this.#jump.push(this.#row), jump),
      suddenMost: meanOfLargest(SUDDEN_METRICS, this.#short.push(this.#row), short),
      driftMax: meanOfLargest(1, this.#drift, long),
      driftDistance: distance.distance(this.#drift),
      componentMax: meanOfLargest(1, this.#left, component),
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

/** Of the residuals over their deviations, without signs; of all of them where there are fewer. */
function meanOfLargest(count: number, residual: Float64Array, deviation: Float64Array): number {
  const largest = new Float64Array(Math.min(count, residual.length))
  for (let m = 0; m < residual.length; m++) {
    let value = Math.abs(residual[m]) / deviation[m]
    for (let k = 0; k < largest.length; k++) {
      if (value <= largest[k]) continue
      ;[value, largest[k]] = [largest[k], value]
    }
  }
  return largest.reduce((sum, value) => sum + value, 0) / largest.length
}
