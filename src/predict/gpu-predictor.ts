/** A model on a GPU in this thread: opened, compared with the CPU, warmed up. */
import type { ModelCard } from '../core/model.ts'
import { openGpuModel, type GpuModel, type GpuProvider } from './gpu-model.ts'
import type { ModelIo } from './onnx-io.ts'
import { isWithinGap } from './onnx-run.ts'
import { findEnsemble } from './onnx-trees.ts'
import { decodeOnnx } from './onnx-schema.ts'
import { plainRows, PROBE_ROWS, probeRows } from './probe-rows.ts'
import type { Predictor, Scores } from './session.ts'

/** On probability; the order in which a GPU adds up differs. */
export const GAP_MAX = 1e-5

export class GpuPredictor implements Predictor {
  readonly card: ModelCard
  readonly provider: GpuProvider
  readonly model: GpuModel

  constructor(card: ModelCard, model: GpuModel) {
    this.card = card
    this.provider = model.provider
    this.model = model
  }

  async predict(matrix: Float32Array, rowCount: number): Promise<Scores> {
    return this.model.run(this.model.encoder.encode(matrix, rowCount), rowCount)
  }

  async dispose(): Promise<void> {
    await this.model.release()
  }
}

export type GpuPredictorOpened =
  | { readonly ok: true; readonly predictor: GpuPredictor; readonly gap: number }
  | { readonly ok: false; readonly reason: string }

/** Refused where a device is missing, a node would leave it, or it differs from `oracle`, the CPU. */
export async function openGpuPredictor(
  provider: GpuProvider,
  bytes: Uint8Array,
  io: ModelIo,
  oracle: Predictor,
): Promise<GpuPredictorOpened> {
  const { card } = oracle
  const opened = await openGpuModel(provider, bytes, io, card.features.length)
  if (!opened.ok) return opened
  const predictor = new GpuPredictor(card, opened.model)
  try {
    const rows = hardRows(bytes, card.features.length)
    const ours = await predictor.predict(rows, PROBE_ROWS)
    const theirs = await oracle.predict(rows, PROBE_ROWS)
    if (!isWithinGap(ours.probability, theirs.probability, GAP_MAX)) {
      await predictor.dispose()
      return {
        ok: false,
        reason: `${provider} differs from the CPU by ${gapOf(ours, theirs).toExponential(1)} in a probability, ${GAP_MAX} at most`,
      }
    }
    // The second run is of the size that most have: kernels are made and memory is taken before it counts.
    await predictor.predict(rows.subarray(0, card.features.length), 1)
    return { ok: true, predictor, gap: gapOf(ours, theirs) }
  } catch (error) {
    await predictor.dispose()
    const message = error instanceof Error ? error.message : String(error)
    return { ok: false, reason: `${provider} fails to run the model: ${message.trim()}` }
  }
}

function hardRows(bytes: Uint8Array, width: number): Float32Array {
  const model = decodeOnnx(bytes)
  const found = model === null ? null : findEnsemble(model, width)
  return found !== null && 'trees' in found ? probeRows(found.trees, width) : plainRows(width)
}

function gapOf(ours: Scores, theirs: Scores): number {
  return ours.probability.reduce(
    (worst, value, row) => Math.max(worst, Math.abs(value - theirs.probability[row])),
    0,
  )
}
