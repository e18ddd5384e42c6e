import { describe, expect, test } from 'vitest'
import { FoldClock, OBSERVED_GAP_MAX_MS, ObservedClock } from '../../../src/core/clock.ts'

describe('the clock of a fold', () => {
  test('arrival: follows append times and never goes back', () => {
    const clock = new FoldClock('arrival', 2)
    clock.arrive(1_000)
    clock.arrive(900)
    expect(clock.nowMs).toBe(1_000)
    expect(clock.tick(0, 99_999, 1)).toBe(false)
    expect(clock.nowMs).toBe(1_000)
  })

  test('driven: moves when the slowest source has ticked, and ignores append times', () => {
    const clock = new FoldClock('driven', 2)
    clock.arrive(1e12)
    expect(clock.nowMs).toBe(0)
    expect(clock.tick(0, 5_000, 1)).toBe(false)
    expect(clock.tick(1, 5_000, 1)).toBe(true)
    expect([clock.nowMs, clock.step]).toEqual([5_000, 1])
    expect(clock.tick(0, 10_000, 2)).toBe(false)
    expect([clock.nowMs, clock.step]).toEqual([5_000, 1])
  })

  test('driven: a repeated tick changes nothing', () => {
    const clock = new FoldClock('driven', 1)
    clock.tick(0, 5_000, 1)
    expect(clock.tick(0, 5_000, 1)).toBe(false)
    expect(clock.tick(0, 4_000, 1)).toBe(false)
    expect(clock.nowMs).toBe(5_000)
  })
})

describe('observed time', () => {
  test('is the progress of the slowest source', () => {
    const observed = new ObservedClock(2, OBSERVED_GAP_MAX_MS)
    observed.take(0, 10_000)
    observed.take(1, 10_000)
    observed.take(0, 11_000)
    expect(observed.atMs).toBe(0)
    observed.take(1, 10_500)
    expect(observed.atMs).toBe(500)
    expect(observed.watermarkMs).toBe(10_500)
  })

  test('an outage of ours adds no more than one gap, however long it was', () => {
    const observed = new ObservedClock(1, OBSERVED_GAP_MAX_MS)
    observed.take(0, 10_000)
    observed.take(0, 10_000 + 3_600_000)
    expect(observed.atMs).toBe(OBSERVED_GAP_MAX_MS)
  })

  test('a stalled source adds nothing while the others go on', () => {
    const observed = new ObservedClock(3, OBSERVED_GAP_MAX_MS)
    for (const source of [0, 1, 2]) observed.take(source, 1_000)
    for (let t = 2_000; t < 60_000; t += 1_000) for (const s of [0, 1]) observed.take(s, t)
    expect(observed.atMs).toBe(0)
  })

  test('begins when every source has reported', () => {
    const observed = new ObservedClock(2, OBSERVED_GAP_MAX_MS)
    observed.take(0, 5_000)
    expect(observed.watermarkMs).toBe(0)
    observed.take(1, 7_000)
    expect([observed.watermarkMs, observed.atMs]).toEqual([5_000, 0])
  })
})
