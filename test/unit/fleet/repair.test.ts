import { expect, test } from 'vitest'
import { Random } from '../../../src/fleet/random.ts'
import { ACCELERATION, drawRepairMs, FAILURES_PER_NODE_HOUR } from '../../../src/fleet/repair.ts'

test('repairs take as long as in the trace, divided by the acceleration', () => {
  const random = new Random(1, 'repairs')
  const hours = Array.from(
    { length: 20_000 },
    () => (drawRepairMs(random, 'all') * ACCELERATION) / 3_600_000,
  ).sort((a, b) => a - b)
  const at = (ratio: number): number => hours[Math.floor(ratio * hours.length)]
  expect(at(0.5)).toBeGreaterThan(18)
  expect(at(0.5)).toBeLessThan(23)
  expect(at(0.75)).toBeGreaterThan(66)
  expect(at(0.75)).toBeLessThan(80)
  expect(Math.max(...hours)).toBeLessThanOrEqual(262.33)
})

test('a repair is never over before its failure is confirmed', () => {
  const random = new Random(2, 'repairs')
  for (let i = 0; i < 1_000; i++)
    expect(drawRepairMs(random, 'nic')).toBeGreaterThanOrEqual(150_000)
})

test('300 nodes fail about 16 times an hour', () => {
  expect(300 * FAILURES_PER_NODE_HOUR).toBeCloseTo(15.7, 1)
})

test('the draws of one stream do not depend on another', () => {
  const [a, b] = [new Random(7, 'a'), new Random(7, 'b')]
  const alone = new Random(7, 'a')
  for (let i = 0; i < 10; i++) {
    b.ratio()
    expect(a.ratio()).toBe(alone.ratio())
  }
  expect(a.ratio()).not.toBe(b.ratio())
})
