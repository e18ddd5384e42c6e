import { expect, test } from 'vitest'
import { emptySeries, rowOf, type Series } from '../../../../src/detect/anomaly/series.ts'
import { Shapes, ShapeWindow } from '../../../../src/detect/anomaly/shapes.ts'

/** A saw tooth: it rises over ten samples and falls at once. */
function sawTooth(sampleCount: number): Series {
  const series = emptySeries(sampleCount, 1)
  for (let i = 0; i < sampleCount; i++) rowOf(series, i)[0] = (i % 10) / 10
  return series
}

/** Distance of the last of the values from the usual shapes. */
function distanceOf(shapes: Shapes, values: readonly number[]): number {
  const window = new ShapeWindow()
  let last = new Float64Array(0)
  for (const value of values) last = window.push(Float64Array.of(value)).slice()
  return shapes.distance(last)
}

const rising = Array.from({ length: 10 }, (_, i) => i / 10)

test('a stretch that is usual is near, and the same values in another order are far', () => {
  const shapes = new Shapes(sawTooth(600))
  expect(distanceOf(shapes, rising)).toBeCloseTo(0, 6)
  expect(distanceOf(shapes, rising.toReversed())).toBeGreaterThan(0.5)
})

test('the same past gives the same shapes', () => {
  const [one, other] = [new Shapes(sawTooth(600)), new Shapes(sawTooth(600))]
  const odd = rising.map((value) => value ** 2)
  expect(distanceOf(one, odd)).toBe(distanceOf(other, odd))
})

test('before there are enough samples the first stands for those before it', () => {
  const window = new ShapeWindow()
  window.push(Float64Array.of(3))
  expect([...window.push(Float64Array.of(4))]).toEqual([3, 3, 3, 3, 3, 3, 3, 3, 3, 4])
})
