import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { Binner } from '../../../training/binner.ts'
import { between, binLimit, binOf, findBounds, toBinnedRows } from '../../../training/bins.ts'
import { DEFAULT_BOOST, trainBoost } from '../../../training/boost.ts'
import { loadModule, makeData } from '../../support/training-data.ts'

const module = loadModule()
const float = fc.float({ noNaN: true, noDefaultInfinity: true })
const floats = fc.array(fc.oneof(float, fc.constant(NaN), fc.constant(0)), {
  minLength: 1,
  maxLength: 300,
})

test.prop([float, float])(
  'a value between two lies at or above the lower and below the higher',
  (a, b) => {
    fc.pre(a !== b)
    const [low, high] = a < b ? [a, b] : [b, a]
    const middle = between(low, high)
    expect(middle).toBe(Math.fround(middle))
    expect(low <= middle && middle < high).toBe(true)
  },
)

test.prop([floats, fc.integer({ min: 2, max: 255 })])(
  'a value is in a bin at or below b exactly where it is at or below the limit of b',
  (values, binsMax) => {
    const [bounds] = findBounds(Float32Array.from(values), 1, binsMax)
    expect(bounds.length).toBeLessThan(binsMax)
    for (const value of values) {
      if (Number.isNaN(value)) continue
      for (let b = 0; b <= bounds.length; b++) {
        expect(binOf(bounds, value) <= b).toBe(value <= binLimit(bounds, b))
      }
    }
  },
)

test.prop([floats])(
  'the kernel bins as the reference does, beyond the sample as well',
  (values) => {
    const bounds = findBounds(Float32Array.from(values), 1)
    const binner = new Binner(module, bounds)
    for (const value of [...values, Infinity, -Infinity, 3.4e38, -3.4e38, 1e-45, NaN]) {
      const row = Float32Array.of(value)
      expect(binner.bin(row, 0)[0]).toBe(binOf(bounds[0], row[0]))
    }
  },
)

test.prop([fc.integer({ min: 0, max: 2 ** 31 })], { numRuns: 10 })(
  'the same seed gives the same trees, bit by bit',
  (seed) => {
    const made = makeData(300, 4, 3)
    const bounds = findBounds(made.matrix, 4)
    const rows = toBinnedRows(made.matrix, made.labels, bounds)
    const params = { ...DEFAULT_BOOST, treesMax: 8, rowsMin: 5, seed, rowRatio: 0.7 }
    const grow = () => trainBoost(module, { rows, bounds, validation: null }, params)
    expect(grow()).toEqual(grow())
  },
)
