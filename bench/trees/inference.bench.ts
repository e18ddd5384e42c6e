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
import { toOnnx } from '../../training/onnx.ts'
import { alternate, type Bench, type BenchRow, missingRow, ratioRow } from '../bench.ts'
import { FEATURES, LEAVES, makeRows, trainEnsemble, TREES } from './ensemble.ts'
import { PythonRivals } from './python-rivals.ts'

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
    const booster = trainEnsemble(module)
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
    const python = await PythonRivals.start(booster, rows, PASSES, ['lightgbm', 'lleaves'], log)
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
          const margins = (await python.results(name)).map((margin) => margin + booster.base)
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

function checkSame(name: string, ours: Float32Array, theirs: ArrayLike<number>): void {
  const gap = ours.reduce((most, margin, row) => Math.max(most, Math.abs(margin - theirs[row])), 0)
  assert(gap <= GAP_MAX, `${name} says otherwise by ${gap}`)
}
