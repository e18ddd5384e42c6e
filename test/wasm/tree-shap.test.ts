// Goal: the kernel says the Shapley values of an ensemble: those of the definition where that can be worked
// out, and sums that are the margin everywhere. Covers of nothing, and values of nothing, are among them.
import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import type { TreeEnsemble } from '../../src/predict/onnx-trees.ts'
import { EXPLAINED_ROWS_PER_CALL_MAX, TreeShap } from '../../src/predict/tree-shap.ts'
import { gaussLegendre } from '../../src/predict/tree-shap-plan.ts'
import { foreshockWasm } from '../support/node-class.ts'
import {
  bruteForce,
  type CoveredShape,
  makeCovered,
  makeValues,
  marginOf,
} from '../support/shap-reference.ts'

const module = foreshockWasm()

function shapOf(ensemble: TreeEnsemble, featureCount: number): TreeShap {
  const shap = TreeShap.create(module, ensemble, featureCount)
  if (shap === null) throw new Error('the ensemble is not taken')
  return shap
}

const growth = fc.constantFrom('random' as const, 'chain' as const)
const emptyRatio = fc.constantFrom(0, 0, 0.4)
const seed = fc.integer({ min: 1, max: 1e6 })
const small = fc.record<CoveredShape>({
  treeCount: fc.integer({ min: 1, max: 4 }),
  leafCount: fc.integer({ min: 1, max: 14 }),
  featureCount: fc.integer({ min: 1, max: 7 }),
  growth,
  emptyRatio,
})
const large = fc.record<CoveredShape>({
  treeCount: fc.integer({ min: 1, max: 12 }),
  leafCount: fc.constantFrom(2, 31, 64, 255, 256),
  featureCount: fc.constantFrom(1, 3, 17, 300),
  growth,
  emptyRatio,
})

test.prop([small, seed], { numRuns: 300 })(
  'each is the mean over all orders of what its feature adds',
  (shape, from) => {
    const ensemble = makeCovered(shape, from)
    const row = makeValues(shape.featureCount, from + 1)
    const found = shapOf(ensemble, shape.featureCount).explain(row, 1)
    const wanted = bruteForce(ensemble, row)
    for (const [feature, value] of wanted.entries()) expect(found[feature]).toBeCloseTo(value, 10)
  },
)

test.prop([large, seed], { numRuns: 60 })(
  'base and contributions add up to the margin',
  (shape, from) => {
    const { featureCount } = shape
    const ensemble = makeCovered(shape, from)
    const rows = makeValues(3 * featureCount, from + 1)
    const shap = shapOf(ensemble, featureCount)
    const found = shap.explain(rows, 3)
    for (let row = 0; row < 3; row++) {
      const [begin, end] = [row * featureCount, (row + 1) * featureCount]
      const sum = found.subarray(begin, end).reduce((total, each) => total + each, shap.base)
      expect(Math.abs(sum - marginOf(ensemble, rows.subarray(begin, end)))).toBeLessThan(1e-6)
    }
  },
)

describe('rows', () => {
  const shape = {
    treeCount: 9,
    leafCount: 20,
    featureCount: 6,
    growth: 'random',
    emptyRatio: 0,
  } as const
  const shap = shapOf(makeCovered(shape, 5), 6)

  test('are explained alike, however many are asked for at once', () => {
    const count = 2 * EXPLAINED_ROWS_PER_CALL_MAX + 3
    const rows = makeValues(count * 6, 8)
    const together = shap.explain(rows, count)
    for (let row = 0; row < count; row++) {
      const alone = shap.explain(rows.subarray(row * 6, (row + 1) * 6), 1)
      expect(alone).toEqual(together.subarray(row * 6, (row + 1) * 6))
    }
  })

  test('that are fewer than was said are a bug', () => {
    expect(() => shap.explain(new Float32Array(11), 2)).toThrow('rows × features')
  })
})

test('a feature that no split asks for adds nothing, and one that alone is asked for adds all', () => {
  const tree = {
    feature: [1, -1, -1],
    threshold: [0, 0, 0],
    missingLeft: [true, false, false],
    left: [1, 0, 0],
    right: [2, 0, 0],
    value: [NaN, -1, 3],
    cover: [4, 3, 1],
  }
  const shap = shapOf(
    { base: 0.5, trees: [tree], calibration: { kind: 'sigmoid', slope: 1, intercept: 0 } },
    3,
  )
  expect(shap.base).toBe(0.5)
  const found = shap.explain(Float32Array.of(9, 1, 9, 9, NaN, 9), 2)
  expect([...found].map((value) => Number(value.toFixed(12)))).toEqual([0, 3, 0, 0, -1, 0])
})

describe('is not taken', () => {
  const shape: CoveredShape = {
    treeCount: 2,
    leafCount: 8,
    featureCount: 3,
    growth: 'random',
    emptyRatio: 0,
  }
  const [first, second] = makeCovered(shape, 1).trees
  const others = [
    ['covers are missing', { ...second, cover: undefined }],
    [
      'every cover is 1, as other exporters write',
      { ...second, cover: second.feature.map(() => 1) },
    ],
    ['no row came to the root', { ...second, cover: second.feature.map(() => 0) }],
    [
      'covers do not add up',
      { ...second, cover: second.cover!.map((n, i) => (i === 0 ? n * 1.1 : n)) },
    ],
    ['a tree has more leaves than 256', makeCovered({ ...shape, leafCount: 257 }, 1).trees[0]],
  ] as const
  test.each(others)('where %s', (_, { cover, ...tree }) => {
    const odd = cover === undefined ? tree : { ...tree, cover }
    const calibration = { kind: 'sigmoid', slope: 1, intercept: 0 } as const
    const ensemble = { base: 0, trees: [first, odd], calibration }
    expect(TreeShap.create(module, ensemble, 3)).toBeNull()
  })
})

test.prop([fc.integer({ min: 1, max: 128 })])('n points integrate t^(2n-1) exactly', (count) => {
  const { at, weight } = gaussLegendre(count)
  for (const degree of [0, 1, count, 2 * count - 1]) {
    const sum = at.reduce((total, t, q) => total + weight[q] * t ** degree, 0)
    expect(sum * (degree + 1)).toBeCloseTo(1, 10)
  }
})
