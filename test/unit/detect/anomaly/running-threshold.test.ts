import { describe, expect, test } from 'vitest'
import {
  RunningThresholds,
  WARM_UP_READINGS,
} from '../../../../src/detect/anomaly/running-threshold.ts'
import { randomFrom } from '../../../../training/boost.ts'

const READINGS_PER_DAY = 1_440

function exponentials(seed: number, scale = 1): () => number {
  const random = randomFrom(seed)
  return () => -scale * Math.log(1 - random())
}

/** Alarms a day of many nodes with independent readings, after some days of getting used to them. */
function alarmsPerDay(falseRunsPerDay: number, reading: (day: number) => () => number): number {
  const [nodes, days, settled] = [4, 60, 20]
  let alarms = 0
  for (let node = 0; node < nodes; node++) {
    const thresholds = new RunningThresholds({ readingsPerDay: READINGS_PER_DAY, falseRunsPerDay })
    for (let day = 0; day < days; day++) {
      const draw = reading(day + node * days)
      for (let i = 0; i < READINGS_PER_DAY; i++) {
        if (thresholds.push(node, draw()).alarm && day >= settled) alarms++
      }
    }
  }
  return alarms / (nodes * (days - settled))
}

describe('running thresholds', () => {
  test('keep the rate that is asked for', () => {
    const rate = alarmsPerDay(1, (day) => exponentials(day))
    expect(rate).toBeGreaterThan(0.3)
    expect(rate).toBeLessThan(3)
  })

  test('keep it when the readings have become three times as wide', () => {
    const rate = alarmsPerDay(1, (day) => exponentials(day, day % 60 < 10 ? 1 : 3))
    expect(rate).toBeGreaterThan(0.3)
    expect(rate).toBeLessThan(3)
  })

  test('say nothing in warm-up, and then see what is far off, once', () => {
    const thresholds = new RunningThresholds({ readingsPerDay: 1_440, falseRunsPerDay: 0.1 })
    const draw = exponentials(5)
    for (let i = 0; i < WARM_UP_READINGS; i++) {
      const reading = thresholds.push(3, i === 10 ? 1_000 : draw())
      expect(reading).toMatchObject({ warmingUp: true, alarm: false })
    }
    for (let i = 0; i < 3_000; i++) thresholds.push(3, draw())
    expect(thresholds.push(3, 100)).toMatchObject({ warmingUp: false, alarm: true })
    expect(thresholds.push(3, 100)).toMatchObject({ alarm: false, over: true })
  })

  test('forget a node whose index serves another', () => {
    const thresholds = new RunningThresholds({ readingsPerDay: 1_440, falseRunsPerDay: 0.1 })
    for (let i = 0; i <= WARM_UP_READINGS; i++) thresholds.push(7, 1)
    expect(thresholds.push(7, 1).warmingUp).toBe(false)
    thresholds.forget(7)
    expect(thresholds.push(7, 1).warmingUp).toBe(true)
  })
})
