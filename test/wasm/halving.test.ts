// Goal: 2^-x is the same to the last bit in the kernel and its twin, and right.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { halving } from '../../src/state/halving.ts'
import { instantiate } from '../../src/state/kernel.ts'
import { foreshockWasm } from '../support/node-class.ts'

const kernel = instantiate(foreshockWasm())

test.prop([fc.double({ min: 0, max: 2000, noNaN: true })], { numRuns: 2_000 })(
  'the kernel and its twin agree to the last bit, and with the true power within 4 ulp',
  (x) => {
    expect(kernel.halving(x)).toBe(halving(x))
    if (x < 1020) expect(Math.abs(halving(x) / 2 ** -x - 1)).toBeLessThan(1e-15)
  },
)

test.each([
  { x: 0, expected: 1, because: 'no time has passed' },
  { x: 1, expected: 0.5, because: 'one half-life has' },
  { x: 20, expected: 2 ** -20, because: 'whole half-lives are exact' },
  { x: 5000, expected: 0, because: 'a denormal would only cost time' },
  { x: Infinity, expected: 0, because: 'nothing is left' },
])('2^-$x is $expected: $because', ({ x, expected }) => {
  expect(kernel.halving(x)).toBe(expected)
})
