/**
 * Exact contributions of a boosted ensemble, one thread each: our kernel against LightGBM's TreeSHAP on the
 * same trees, covers and rows, and against the occlusion that serves models without covers, which is no
 * rival in what it says: one run of the fast tree kernel a feature, and sums that are not the margin.
 */
import { loadKernel } from '../../src/commands/package.ts'
import { assert } from '../../src/core/errors.ts'
import { occlude } from '../../src/predict/occlusion.ts'
import { readEnsemble, type TreeEnsemble } from '../../src/predict/onnx-trees.ts'
import type { Predictor } from '../../src/predict/session.ts'
import { TreeKernel } from '../../src/predict/tree-kernel.ts'
import { TreeShap } from '../../src/predict/tree-shap.ts'
import { toOnnx } from '../../training/onnx.ts'
import { alternate, type Bench, type BenchRow, missingRow, ratioRow } from '../bench.ts'
import { FEATURES, LEAVES, makeRows, trainEnsemble, TREES } from './ensemble.ts'
import { PythonRivals } from './python-rivals.ts'

const ROWS = 512
/** Leaves are float32, and LightGBM adds them to a base of its own. */
const GAP_MAX = 1e-6
const REACH = { contributions: 5, occlusion: 0.1 } as const
const WHAT = `contributions, ${TREES} trees × ${LEAVES} leaves, ${FEATURES} features, ${ROWS} rows`
const LIGHTGBM = 'LightGBM, pred_contrib'

export const bench: Bench = {
  name: 'contributions',
  async run({ quick, log }) {
    const module = await loadKernel()
    const booster = trainEnsemble(module)
    const rows = makeRows(ROWS, 2).matrix
    const ensemble = ensembleOf(booster)
    const shap = TreeShap.create(module, ensemble, FEATURES)
    assert(shap !== null, 'the ensemble has no covers')
    const scoring = predictorOf(module, ensemble)
    const occlusion = async () => {
      for (let row = 0; row < ROWS; row++) {
        await occlude(scoring, rows.subarray(row * FEATURES, (row + 1) * FEATURES))
      }
    }
    const python = await PythonRivals.start(booster, rows, 1, ['contributions'], log)
    const candidates: Record<string, () => unknown> = {
      ours: () => shap.explain(rows, ROWS),
      occlusion,
    }
    try {
      if (typeof python !== 'string') {
        checkSame(shap.explain(rows, ROWS), await python.results('contributions'))
        candidates['contributions'] = () => python.score('contributions')
      }
      const times = await alternate(quick ? 5 : 15, candidates)
      const figures = { trees: TREES, rows: ROWS }
      const row = (rival: keyof typeof REACH, name: string): BenchRow =>
        ratioRow(WHAT, name, times, { ours: 'ours', rival, reach: REACH[rival] }, figures)
      return [
        typeof python === 'string'
          ? missingRow(WHAT, LIGHTGBM, REACH.contributions, python)
          : row('contributions', LIGHTGBM),
        row('occlusion', 'occlusion, which is not exact'),
      ]
    } finally {
      if (typeof python !== 'string') python.close()
    }
  },
}

function ensembleOf(booster: ReturnType<typeof trainEnsemble>): TreeEnsemble {
  const calibration = { kind: 'sigmoid', slope: 1, intercept: 0 } as const
  const about = { featureNames: [], featureHash: '', horizonMs: 1, version: '1' }
  const read = readEnsemble(toOnnx({ booster, calibration, ...about }), FEATURES)
  assert(read.ok, 'our own model is foreign')
  return read.ensemble
}

function predictorOf(
  module: WebAssembly.Module,
  ensemble: TreeEnsemble,
): Pick<Predictor, 'predict'> {
  const kernel = TreeKernel.create(module, ensemble, FEATURES)
  assert(kernel !== null, 'the model is too large')
  return {
    predict: async (matrix, rowCount) => {
      const margin = new Float32Array(rowCount)
      kernel.score(matrix, rowCount, margin)
      return { margin, probability: margin }
    },
  }
}

/** LightGBM gives the base as one more column. */
function checkSame(ours: Float64Array, theirs: Float64Array): void {
  for (let row = 0; row < ROWS; row++) {
    for (let feature = 0; feature < FEATURES; feature++) {
      const gap = ours[row * FEATURES + feature] - theirs[row * (FEATURES + 1) + feature]
      assert(Math.abs(gap) <= GAP_MAX, `LightGBM says otherwise by ${gap}`)
    }
  }
}
