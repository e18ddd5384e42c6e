/**
 * A model that was just written as ONNX, asked again: both forms that it is served in, the TreeEnsemble and
 * the dense one, must say of many rows what the trainer says, before the file is moved to its place.
 */
import { InferenceSession } from 'onnxruntime-node'
import type { Calibration } from '../src/core/calibration.ts'
import { ServiceError } from '../src/core/errors.ts'
import type { ExportCheck } from '../src/core/model.ts'
import { toDenseModel } from '../src/predict/dense-model.ts'
import { KEYS } from '../src/predict/dense-trees.ts'
import { modelIo, type ModelIo } from '../src/predict/onnx-io.ts'
import { OnnxRuns } from '../src/predict/onnx-run.ts'
import { probeRows } from '../src/predict/probe-rows.ts'
import { RowEncoder } from '../src/predict/row-keys.ts'
import { predictMargin, type Booster } from './booster.ts'
import { calibrate } from './calibration.ts'
import type { HorizonFile, ModelFiles } from './model-files.ts'

const CHECKED_ROWS = 10_000
/** On probability, as between any two providers. */
const GAP_MAX = 1e-5
/** The dense form makes a float of every leaf of every tree for each row. */
const ROWS_PER_RUN = 500

/** The model, its shorter horizons and its parts, each with what was found on its card. Fails as `checkExport` does. */
export async function checkFiles(model: ModelFiles): Promise<ModelFiles> {
  const exported = await checkExport(model.onnx, model.booster, model.calibration)
  const horizons: HorizonFile[] = []
  for (const one of model.horizons ?? []) {
    const found = await checkExport(one.onnx, one.booster, one.calibration)
    horizons.push({ ...one, card: { ...one.card, exported: found } })
  }
  const told = horizons.length === 0 ? {} : { horizons: horizons.map(({ card }) => card) }
  const checked = { ...model, horizons, card: { ...model.card, exported, ...told } }
  if (model.parts === undefined) return checked
  const parts: ModelFiles[] = []
  for (const part of model.parts) parts.push(await checkFiles(part))
  return { ...checked, parts }
}

/**
 * Gaps between the trainer's probabilities and those of the file, on rows that lie on thresholds of the trees,
 * beside them and between them, or have missing values.
 * ServiceError MODEL_INVALID where one is over 1e-5: nothing may be written then.
 */
export async function checkExport(
  onnx: Uint8Array,
  booster: Booster,
  calibration: Calibration,
): Promise<ExportCheck> {
  const { featureCount, trees } = booster
  const matrix = probeRows(trees, featureCount, CHECKED_ROWS)
  const wanted = Float64Array.from({ length: CHECKED_ROWS }, (_, row) =>
    calibrate(calibration, predictMargin(booster, matrix, row)),
  )
  const session = await openSession(onnx)
  const io = modelIo('model.onnx', session, featureCount)
  const input = { name: io.input, values: matrix, width: featureCount }
  const treeEnsemble = await gapOf(new OnnxRuns(session, io, ROWS_PER_RUN), input, wanted)
  const denseForm = await denseGap(onnx, io, featureCount, matrix, wanted)
  const worst = Math.max(treeEnsemble, denseForm ?? 0)
  if (!(worst <= GAP_MAX)) {
    throw new ServiceError(
      'MODEL_INVALID',
      `the exported model differs from the trainer by ${worst.toExponential(1)} in a probability, ${GAP_MAX} at most; nothing was written: report it with the data`,
    )
  }
  return { rows: CHECKED_ROWS, treeEnsemble, denseForm }
}

/** Null where the model has no dense form. */
async function denseGap(
  onnx: Uint8Array,
  io: ModelIo,
  featureCount: number,
  matrix: Float32Array,
  wanted: Float64Array,
): Promise<number | null> {
  const dense = toDenseModel(onnx, featureCount, [io.probability.name])
  if (!dense.ok || dense.slots === null) return null
  const encoder = new RowEncoder(dense.slots, featureCount)
  const values = encoder.encode(matrix, wanted.length)
  const runs = new OnnxRuns(await openSession(dense.bytes), { ...io, margin: null }, ROWS_PER_RUN)
  return gapOf(runs, { name: KEYS, values, width: encoder.width }, wanted)
}

async function gapOf(
  runs: OnnxRuns,
  input: Parameters<OnnxRuns['run']>[0],
  wanted: Float64Array,
): Promise<number> {
  const { probability } = await runs.run(input, wanted.length)
  await runs.release()
  // Math.max keeps what is not a number, so that it is over any limit.
  return wanted.reduce(
    (worst, value, row) => Math.max(worst, Math.abs(value - probability[row])),
    0,
  )
}

function openSession(bytes: Uint8Array): Promise<InferenceSession> {
  const threads = { intraOpNumThreads: 1, interOpNumThreads: 1 }
  return InferenceSession.create(bytes, { ...threads, logSeverityLevel: 3 })
}
