/**
 * Anomalies of one node, learned from its own past without labels. Two outputs: a smooth score that
 * ranks, and a fast alarm whose threshold keeps the rate of alarms that is asked for.
 */
import { assert } from '../../core/errors.ts'
import { Fusion, recipesFor, type Recipes } from './fusion.ts'
import { learnMembers, MemberStream, type MemberValues, type MetricDeviation } from './members.ts'
import { partOf, rowOf, type Series } from './series.ts'
import { AlarmThreshold } from './threshold.ts'

export interface DetectorOptions {
  readonly samplesPerDay: number
  /** Alarms without an anomaly that are put up with. */
  readonly falseRunsPerDay: number
  /** Samples between two runs that are told as one. */
  readonly gapMax: number
}

export interface Reading {
  /** Higher is more anomalous; 0 is as usual. */
  readonly score: number
  /** What is held against the threshold. */
  readonly alarmStatistic: number
  readonly threshold: number
  readonly alarm: boolean
}

/** Samples to learn from before anything is said: two half-lives of the long mean in either half. */
export const WARM_UP_SAMPLES = 240

export class AnomalyDetector {
  readonly #stream: MemberStream
  readonly #score: Fusion
  readonly #alarm: Fusion
  readonly #threshold: AlarmThreshold

  /** Learns from the series, which has at least WARM_UP_SAMPLES, and goes on from its end. */
  constructor(series: Series, options: DetectorOptions) {
    assert(series.sampleCount >= WARM_UP_SAMPLES, 'a node in warm-up has no detector')
    const recipes = recipesFor(options.samplesPerDay)
    this.#stream = new MemberStream(learnMembers(series))
    const samples = valuesOf(series, this.#stream)
    this.#score = new Fusion(samples, 'score', recipes)
    this.#alarm = new Fusion(samples, 'alarm', recipes)
    const unseen = unseenStatistic(series, recipes)
    this.#threshold = new AlarmThreshold(unseen, options.falseRunsPerDay, options)
  }

  push(row: Float64Array): Reading {
    const members = this.#stream.push(row)
    const alarmStatistic = this.#alarm.push(members)
    const threshold = this.#threshold.height
    return {
      score: this.#score.push(members),
      alarmStatistic,
      threshold,
      alarm: this.#threshold.push(alarmStatistic),
    }
  }

  /** Why: the metrics of the newest sample that are furthest from where they were expected. */
  furthest(count: number): readonly MetricDeviation[] {
    return this.#stream.furthest(count)
  }
}

/**
 * The alarm's statistic over the series, each half by a detector that learned from the other: what a
 * detector has learned from looks more usual to it than what comes will.
 */
function unseenStatistic(series: Series, recipes: Recipes): Float64Array {
  const { sampleCount } = series
  const middle = sampleCount >> 1
  const [early, late] = [partOf(series, 0, middle), partOf(series, middle, sampleCount)]
  const statistic = new Float64Array(sampleCount)
  statistic.set(statisticOf(early, late, recipes))
  statistic.set(statisticOf(late, early, recipes), middle)
  return statistic
}

function statisticOf(scored: Series, learnedFrom: Series, recipes: Recipes): Float64Array {
  const model = learnMembers(learnedFrom)
  const learned = valuesOf(learnedFrom, new MemberStream(model))
  const fusion = new Fusion(learned, 'alarm', recipes)
  const samples = valuesOf(scored, new MemberStream(model))
  return Float64Array.from(samples, (values) => fusion.push(values))
}

function valuesOf(series: Series, stream: MemberStream): readonly MemberValues[] {
  return Array.from({ length: series.sampleCount }, (_, i) => ({
    ...stream.push(rowOf(series, i)),
  }))
}
