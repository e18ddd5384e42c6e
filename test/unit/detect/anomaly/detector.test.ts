import { describe, expect, test } from 'vitest'
import { AnomalyDetector } from '../../../../src/detect/anomaly/detector.ts'
import { partOf, rowOf } from '../../../../src/detect/anomaly/series.ts'
import { makeSeries } from '../../../support/made-series.ts'

const SAMPLES_PER_DAY = 288
const DAYS_LEARNED = 12
const OPTIONS = { samplesPerDay: SAMPLES_PER_DAY, falseRunsPerDay: 1, gapMax: 10 }

function made(days: number, seed = 1) {
  return makeSeries({
    sampleCount: days * SAMPLES_PER_DAY,
    metricCount: 6,
    seed,
    samplesPerDay: SAMPLES_PER_DAY,
  })
}

/** A detector after its training, and the days that follow it. */
function learned(daysAfter: number, seed = 1) {
  const whole = made(DAYS_LEARNED + daysAfter, seed)
  const end = DAYS_LEARNED * SAMPLES_PER_DAY
  return {
    detector: new AnomalyDetector(partOf(whole, 0, end), OPTIONS),
    after: partOf(whole, end, whole.sampleCount),
  }
}

describe('a detector', () => {
  test('ranks a jump of one metric over all that is usual, and names the metric', () => {
    const { detector, after } = learned(1)
    const jumpAt = 200
    let usual = -Infinity
    for (let i = 0; i < jumpAt; i++) usual = Math.max(usual, detector.push(rowOf(after, i)).score)
    const row = rowOf(after, jumpAt)
    row[4] += 0.3
    const reading = detector.push(row)
    expect(reading.score).toBeGreaterThan(usual)
    expect(reading.alarm).toBe(true)
    const [first] = detector.furthest(3)
    expect(first.metric).toBe(4)
    // The mean of the samples before lags behind the load a little.
    expect(first.value - first.expected).toBeGreaterThan(0.2)
  })

  test('sees metrics that stop moving together, though each stays within its range', () => {
    const { detector, after } = learned(1)
    const [quiet, broken] = [[], []] as [number[], number[]]
    for (let i = 0; i < SAMPLES_PER_DAY; i++) {
      const row = rowOf(after, i)
      // Around the peak of the load metric 0 goes the way of the odd ones.
      const isBroken = i >= 60 && i < 84
      if (isBroken) row[0] = row[1]
      const { score } = detector.push(row)
      if (isBroken && i >= 65) broken.push(score)
      else if (i < 60) quiet.push(score)
    }
    expect(Math.min(...broken)).toBeGreaterThan(Math.max(...quiet))
  })

  test('raises about as many alarms as were asked for', () => {
    const days = 20
    const seeds = [1, 2, 3]
    let runs = 0
    for (const seed of seeds) {
      const { detector, after } = learned(days, seed)
      let lastAlarm = -Infinity
      for (let i = 0; i < after.sampleCount; i++) {
        if (!detector.push(rowOf(after, i)).alarm) continue
        if (i - lastAlarm > OPTIONS.gapMax + 1) runs++
        lastAlarm = i
      }
    }
    const runsPerDay = runs / (days * seeds.length)
    expect(runsPerDay).toBeGreaterThan(0.4)
    expect(runsPerDay).toBeLessThan(2)
  })

  test('holds the last value where one is missing', () => {
    const { detector, after } = learned(1)
    detector.push(rowOf(after, 0))
    const row = rowOf(after, 1).slice().fill(Number.NaN)
    const { score, alarm } = detector.push(row)
    expect(Number.isFinite(score)).toBe(true)
    expect(alarm).toBe(false)
  })

  test('is finite on metrics that never moved, and alarms when one does', () => {
    const series = made(DAYS_LEARNED)
    for (let i = 0; i < series.sampleCount; i++) rowOf(series, i)[2] = 0.7
    const detector = new AnomalyDetector(series, OPTIONS)
    const row = rowOf(series, 0).slice()
    const usual = detector.push(row)
    expect(Number.isFinite(usual.score)).toBe(true)
    row[2] = 0.9
    expect(detector.push(row).alarm).toBe(true)
    expect(detector.furthest(1)[0]).toMatchObject({ metric: 2, value: 0.9 })
  })
})
