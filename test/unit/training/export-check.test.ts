// Goal: a file that says anything else than the trainer is never moved to its place.
import { expect, test } from 'vitest'
import { checkExport } from '../../../training/export-check.ts'
import { CALIBRATION, CALIBRATIONS, makeBooster, onnxOf } from '../../parity/trees/tree-cases.ts'

const booster = makeBooster({ treeCount: 30, leafCount: 20, featureCount: 6, growth: 'random' }, 4)
const onnx = onnxOf(booster)

test.each(CALIBRATIONS)(
  '$kind: both forms say of 10,000 rows what the trainer says, to 1e-6',
  async (calibration) => {
    const check = await checkExport(onnxOf(booster, calibration), booster, calibration)
    expect(check.rows).toBe(10_000)
    expect(check.treeEnsemble).toBeLessThanOrEqual(1e-6)
    expect(check.denseForm).toBeLessThanOrEqual(1e-6)
  },
)

const [first, ...others] = booster.trees
test.each([
  ['a leaf', { value: first.value.map((value) => value + 1e-3) }],
  ['the side of the missing values', { missingLeft: first.missingLeft.map((left) => 1 - left) }],
  [
    'a threshold by a step',
    { threshold: first.threshold.map((value) => value * 1.000_001 + 1e-7) },
  ],
])('a trainer that differs in %s stops the export', async (_what, part) => {
  const other = { ...booster, trees: [{ ...first, ...part }, ...others] }
  await expect(checkExport(onnx, other, CALIBRATION)).rejects.toMatchObject({
    code: 'MODEL_INVALID',
    message: expect.stringMatching(/differs from the trainer by/) as string,
  })
})

test('and so does one whose calibration is no number', async () => {
  const calibration = { ...CALIBRATION, intercept: NaN }
  await expect(checkExport(onnx, booster, calibration)).rejects.toMatchObject({
    code: 'MODEL_INVALID',
  })
})
