// Goal: a file that says anything else than the trainer is never moved to its place.
import { expect, test } from 'vitest'
import { findBounds, toBinnedRows } from '../../../training/bins.ts'
import { predictMargin } from '../../../training/booster.ts'
import { calibrate } from '../../../training/calibration.ts'
import { checkExport, rowsOnBounds } from '../../../training/export-check.ts'
import { CALIBRATION, makeBooster, makeRows, onnxOf } from '../../parity/trees/tree-cases.ts'

const FEATURES = 6
const booster = makeBooster(
  { treeCount: 30, leafCount: 20, featureCount: FEATURES, growth: 'random' },
  4,
)
const onnx = onnxOf(booster)
const matrix = makeRows(10_000, FEATURES, 8)
const rows = { matrix, rowCount: 10_000 }
const expected = (row: number) => calibrate(CALIBRATION, predictMargin(booster, matrix, row))

test('both forms say of 10,000 rows what the trainer says, to less than 1e-6', async () => {
  const check = await checkExport(onnx, FEATURES, rows, expected)
  expect(check.rows).toBe(10_000)
  expect(check.treeEnsemble).toBeLessThanOrEqual(1e-6)
  expect(check.denseForm).toBeLessThanOrEqual(1e-6)
})

test.each([
  ['by 2e-5 in one row', (row: number) => expected(row) + (row === 7_777 ? 2e-5 : 0)],
  ['by no number', (row: number) => (row === 3 ? NaN : expected(row))],
])('a trainer that differs %s stops the export', async (_what, other) => {
  await expect(checkExport(onnx, FEATURES, rows, other)).rejects.toMatchObject({
    code: 'MODEL_INVALID',
    message: expect.stringMatching(/differs from the trainer by/) as string,
  })
})

test('binned rows come back on the upper bounds of their bins, missing ones missing', () => {
  const few = Float32Array.of(1, NaN, 2, 5, 3, 7, 4, 9)
  const bounds = findBounds(few, 2)
  const binned = toBinnedRows(few, new Uint8Array(4), bounds)
  // Of three features the model learned from the third and the first.
  const learned = { bounds, columns: Uint32Array.of(2, 0), featureNames: ['a', 'b', 'c'] }
  const back = rowsOnBounds(binned, learned, 10)
  expect(back.rowCount).toBe(4)
  expect([...back.matrix.subarray(0, 6)]).toEqual([NaN, NaN, 1.5, 6, NaN, 2.5])
  expect(rowsOnBounds(binned, learned, 2).rowCount).toBe(2)
})
