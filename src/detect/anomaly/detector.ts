/**
 * Anomalies of one node, learned from its own past without labels. Two outputs: a smooth score that
 * ranks, and a fast alarm whose threshold keeps the rate of alarms that is asked for.
 */
import { assert } from '../../core/errors.ts'
import { ALARM, Fusion, SCORE, usualOf, type MemberValues } from './fusion.ts'
import { learnMembers, MemberStream, type MemberModel, type MetricDeviation } from './members.ts'
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
    const learned = learn(series)
    this.#stream = learned.stream
    this.#score = learned.score
    this.#alarm = learned.alarm
    this.#threshold = new AlarmThreshold(unseenStatistic(series), options.falseRunsPerDay, options)
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

interface Learned {
  readonly stream: MemberStream
  readonly score: Fusion
  readonly alarm: Fusion
}

/** Members and fusions that stand at the end of the series. */
function learn(series: Series): Learned {
  const stream = new MemberStream(learnMembers(series))
  const samples: MemberValues[] = []
  for (let i = 0; i < series.sampleCount; i++) samples.push({ ...stream.push(rowOf(series, i)) })
  const score = new Fusion(SCORE, usualOf(samples, SCORE.smoothing))
  const alarm = new Fusion(ALARM, usualOf(samples, ALARM.smoothing))
  for (const values of samples.slice(-Math.max(SCORE.smoothing, ALARM.smoothing))) {
    score.push(values)
    alarm.push(values)
  }
  return { stream, score, alarm }
}

/**
 * The alarm's statistic over the series, each half by a detector that learned from the other: what a
 * detector has learned from looks more usual to it than what comes will.
 */
function unseenStatistic(series: Series): Float64Array {
  const { sampleCount } = series
  const middle = sampleCount >> 1
  const [early, late] = [partOf(series, 0, middle), partOf(series, middle, sampleCount)]
  const statistic = new Float64Array(sampleCount)
  statistic.set(statisticOf(early, late))
  statistic.set(statisticOf(late, early), middle)
  return statistic
}

function statisticOf(scored: Series, learnedFrom: Series): Float64Array {
  const model = learnMembers(learnedFrom)
  const samples = valuesOf(learnedFrom, model)
  const fusion = new Fusion(ALARM, usualOf(samples, ALARM.smoothing))
  return Float64Array.from(valuesOf(scored, model), (values) => fusion.push(values))
}

function valuesOf(series: Series, model: MemberModel): readonly MemberValues[] {
  const stream = new MemberStream(model)
  return Array.from({ length: series.sampleCount }, (_, i) => ({
    ...stream.push(rowOf(series, i)),
  }))
}
