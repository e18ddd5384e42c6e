import { fc, test } from '@fast-check/vitest'
import { describe, expect, test as plain } from 'vitest'
import { AnomalyDetector } from '../../../../src/detect/anomaly/detector.ts'
import { recipesFor } from '../../../../src/detect/anomaly/fusion.ts'
import { jointJump } from '../../../../src/detect/anomaly/joint-jump.ts'
import { partOf, rowOf } from '../../../../src/detect/anomaly/series.ts'
import { makeSeries } from '../../../support/made-series.ts'

const ones = (length: number): Float64Array => new Float64Array(length).fill(1)
const residuals = fc.array(fc.double({ min: -100, max: 100, noNaN: true }), {
  minLength: 1,
  maxLength: 40,
})

describe('a joint jump', () => {
  plain.each([
    { residual: [0, 1.9, -2], expected: 0, because: 'within two deviations is noise' },
    { residual: [3, 0, 0], expected: Math.log(2), because: 'one metric is a deviation beyond' },
    { residual: [3, -3, 3], expected: 3 * Math.log(2), because: 'signs do not cancel out' },
  ])('is $expected where $because', ({ residual, expected }) => {
    expect(jointJump(Float64Array.from(residual), ones(3))).toBeCloseTo(expected, 12)
  })

  plain('of many metrics is more than a far one of a single metric', () => {
    const many = jointJump(new Float64Array(10).fill(4), ones(10))
    const single = jointJump(Float64Array.of(40, ...Array.from({ length: 9 }, () => 0)), ones(10))
    expect(many).toBeGreaterThan(2 * single)
  })

  test.prop([residuals])('does not depend on the order of the metrics', (values) => {
    const there = jointJump(Float64Array.from(values), ones(values.length))
    const back = jointJump(Float64Array.from(values.toReversed()), ones(values.length))
    expect(back).toBeCloseTo(there, 9)
  })

  test.prop([residuals, fc.double({ min: -100, max: 100, noNaN: true })])(
    'is never less with one metric more',
    (values, other) => {
      const fewer = jointJump(Float64Array.from(values), ones(values.length))
      const more = jointJump(Float64Array.from([...values, other]), ones(values.length + 1))
      expect(more).toBeGreaterThanOrEqual(fewer)
    },
  )
})

describe('a detector of coarse samples', () => {
  const samplesPerDay = 288
  const learnedCount = 12 * samplesPerDay
  const options = { samplesPerDay, falseRunsPerDay: 1, gapMax: 10 }
  const make = () =>
    makeSeries({ sampleCount: learnedCount + 400, metricCount: 16, seed: 5, samplesPerDay })

  plain('sees all metrics jump in one sample by what each does alone now and then', () => {
    const whole = make()
    const learned = partOf(whole, 0, learnedCount)
    const after = partOf(whole, learnedCount, whole.sampleCount)
    const detector = new AnomalyDetector(learned, options)
    let usual = -Infinity
    for (let i = 0; i < 300; i++)
      usual = Math.max(usual, detector.push(rowOf(after, i)).alarmStatistic)
    const row = rowOf(after, 300).map((value, m) => value + (m % 3 === 0 ? -0.05 : 0.05))
    const [highest, lowest] = [Math.max(...learned.values), Math.min(...learned.values)]
    for (const value of row) expect(value > lowest && value < highest).toBe(true)
    const reading = detector.push(row)
    expect(reading.alarmStatistic).toBeGreaterThan(usual)
    expect(reading.alarm).toBe(true)
  })

  plain('says the same each time', () => {
    const readings = () => {
      const whole = make()
      const detector = new AnomalyDetector(partOf(whole, 0, learnedCount), options)
      return Array.from({ length: 50 }, (_, i) => detector.push(rowOf(whole, learnedCount + i)))
    }
    expect(readings()).toEqual(readings())
  })

  plain('has recipes of its own, from samples five minutes apart on', () => {
    expect(recipesFor(288).alarm.members).toContain('jointJump')
    expect(recipesFor(289).alarm.members).not.toContain('jointJump')
  })
})
