/**
 * Scoring a boosted ensemble, one thread each: the tree kernel against ONNX Runtime, LightGBM, and
 * lleaves, which compiles the trees with LLVM. All of them score the same trees on the same rows, a
 * tenth of whose values are missing. The rivals get the rows in the type they read without a copy.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { loadKernel } from '../../src/commands/package.ts'
import { assert } from '../../src/core/errors.ts'
import { readEnsemble } from '../../src/predict/onnx-trees.ts'
import { TreeKernel } from '../../src/predict/tree-kernel.ts'
import { findBounds, toBinnedRows } from '../../training/bins.ts'
import { DEFAULT_BOOST, randomFrom, trainBoost } from '../../training/boost.ts'
import type { Booster } from '../../training/booster.ts'
import { toOnnx } from '../../training/onnx.ts'
import { alternate, type Bench, type BenchRow, missingRow, ratioRow } from '../bench.ts'
import { PythonRivals } from './python-rivals.ts'

const TREES = 200
const LEAVES = 31
const FEATURES = 64
const TRAINING_ROWS = 20_000
const ROWS = 10_000
const GAP_MAX = 1e-5
/** Work per call, so that asking a rival in another process costs nothing beside it. */
const PASSES = 4
const REACH = { onnx: 6, lightgbm: 8, lleaves: 2 } as const
const NAMES = {
  onnx: 'ONNX Runtime, CPU',
  lightgbm: 'LightGBM',
  lleaves: 'lleaves (LLVM)',
} as const
const WHAT = `tree inference, ${TREES} trees × ${LEAVES} leaves, ${FEATURES} features, ${ROWS} rows`

export const bench: Bench = {
  name: 'tree inference',
  async run({ quick, log }) {
    const module = await loadKernel()
    const booster = train(module)
    const rows = makeRows(ROWS, 2).matrix
    const onnx = toOnnx({
      booster,
      calibration: { kind: 'sigmoid', slope: 1, intercept: 0 },
      featureNames: [],
      featureHash: '',
      horizonMs: 1,
      version: '1',
    })
    const score = kernelScorer(module, onnx)
    const expected = score(rows)
    const python = await PythonRivals.start(booster, rows, PASSES, log)
    const session = await InferenceSession.create(onnx, {
      executionProviders: ['cpu'],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
    })
    try {
      const run = async () =>
        session.run({ features: new Tensor('float32', rows, [ROWS, FEATURES]) })
      checkSame('onnx', expected, (await run())['margin'].data as Float32Array)
      const candidates: Record<string, () => unknown> = {
        ours: () => repeat(async () => score(rows)),
        onnx: () => repeat(run),
      }
      const named = typeof python === 'string' ? [] : python.names
      if (typeof python !== 'string') {
        for (const name of named) {
          const margins = (await python.margins(name)).map((margin) => margin + booster.base)
          checkSame(name, expected, margins)
          candidates[name] = () => python.score(name)
        }
      }
      const times = await alternate(quick ? 5 : 15, candidates)
      const figures = { trees: booster.trees.length, passes: PASSES }
      return (['onnx', 'lightgbm', 'lleaves'] as const).map((rival): BenchRow => {
        const why = typeof python === 'string' ? python : 'it could not be installed'
        const reach = REACH[rival]
        if (!(rival in times)) return missingRow(WHAT, NAMES[rival], reach, why)
        return ratioRow(WHAT, NAMES[rival], times, { ours: 'ours', rival, reach }, figures)
      })
    } finally {
      await session.release()
      if (typeof python !== 'string') python.close()
    }
  },
}

async function repeat(work: () => Promise<unknown>): Promise<void> {
  for (let pass = 0; pass < PASSES; pass++) await work()
}

function kernelScorer(
  module: WebAssembly.Module,
  onnx: Uint8Array,
): (rows: Float32Array) => Float32Array {
  const read = readEnsemble(onnx, FEATURES)
  assert(read.ok, 'our own model is foreign')
  const kernel = TreeKernel.create(module, read.ensemble, FEATURES)
  assert(kernel !== null, 'the model is too large')
  return (rows) => {
    const margin = new Float32Array(ROWS)
    kernel.score(rows, ROWS, margin)
    return margin
  }
}

function train(module: WebAssembly.Module): Booster {
  const { matrix, labels } = makeRows(TRAINING_ROWS, 1)
  const bounds = findBounds(matrix, FEATURES)
  const rows = toBinnedRows(matrix, labels, bounds)
  const params = { ...DEFAULT_BOOST, treesMax: TREES, leavesMax: LEAVES }
  const booster = trainBoost(module, { rows, bounds, validation: null }, params)
  const leafCounts = booster.trees.map(({ feature }) => feature.filter((f) => f < 0).length)
  assert(booster.trees.length === TREES, 'training stopped early')
  assert(
    leafCounts.every((count) => count === LEAVES),
    'a tree has fewer leaves',
  )
  return booster
}

/** Each feature says a little about the label, some by being missing or together with the next. */
function makeRows(count: number, seed: number): { matrix: Float32Array; labels: Uint8Array } {
  const random = randomFrom(seed)
  const matrix = new Float32Array(count * FEATURES)
  const labels = new Uint8Array(count)
  for (let row = 0; row < count; row++) {
    const values = matrix.subarray(row * FEATURES, (row + 1) * FEATURES)
    let margin = 0
    for (let f = 0; f < FEATURES; f++) {
      const value = random() + random() + random() - 1.5
      values[f] = random() < 0.1 ? NaN : value
      const weight = 1 / (1 + (f % 16))
      margin += weight * (f % 3 === 0 && f > 0 ? value * values[f - 1] * 2 || 0 : value)
    }
    labels[row] = random() < 1 / (1 + Math.exp(-margin)) ? 1 : 0
  }
  return { matrix, labels }
}

function checkSame(name: string, ours: Float32Array, theirs: ArrayLike<number>): void {
  const gap = ours.reduce((most, margin, row) => Math.max(most, Math.abs(margin - theirs[row])), 0)
  assert(gap <= GAP_MAX, `${name} says otherwise by ${gap}`)
}
