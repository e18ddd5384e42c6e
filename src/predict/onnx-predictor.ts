/**
 * Any model on the CPU provider of ONNX Runtime, which reads rows where they are. It serves what nothing
 * faster can, and is what everything faster is compared with.
 */
import { InferenceSession } from 'onnxruntime-node'
import { assert, ServiceError } from '../core/errors.ts'
import type { ModelCard } from '../core/model.ts'
import type { ModelBytes } from './model-directory.ts'
import { modelIo, type ModelIo } from './onnx-io.ts'
import { OnnxRuns } from './onnx-run.ts'
import { plainRows, PROBE_ROWS } from './probe-rows.ts'
import type { Predictor, Scores } from './session.ts'

/** Rows per run: beyond it the time per row no longer falls. */
const ROWS_PER_RUN_MAX = 4_096

export class OnnxPredictor implements Predictor {
  readonly card: ModelCard
  readonly provider = 'cpu'
  readonly io: ModelIo
  readonly #runs: OnnxRuns

  private constructor(card: ModelCard, io: ModelIo, runs: OnnxRuns) {
    this.card = card
    this.io = io
    this.#runs = runs
  }

  /**
   * ServiceError MODEL_INVALID: ONNX Runtime refuses the file, its inputs or outputs are not those of a
   * model of failures, or what it gives is no probability.
   */
  static async open({ card, file, bytes }: ModelBytes): Promise<OnnxPredictor> {
    const session = await createSession(file, bytes)
    try {
      const io = modelIo(file, session, card.features.length)
      const runs = new OnnxRuns(session, io, ROWS_PER_RUN_MAX)
      const predictor = new OnnxPredictor(card, io, runs)
      await predictor.#checkRange(file)
      return predictor
    } catch (error) {
      await session.release()
      throw error
    }
  }

  async predict(matrix: Float32Array, rowCount: number): Promise<Scores> {
    const width = this.card.features.length
    assert(matrix.length >= rowCount * width, 'the matrix is smaller than rows × features')
    return this.#runs.run({ name: this.io.input, values: matrix, width }, rowCount)
  }

  async dispose(): Promise<void> {
    await this.#runs.release()
  }

  async #checkRange(file: string): Promise<void> {
    const { name } = this.io.probability
    const width = this.card.features.length
    const { probability } = await this.predict(plainRows(width), PROBE_ROWS)
    const odd = probability.find((value) => !(value >= 0 && value <= 1))
    if (odd !== undefined) {
      throw new ServiceError(
        'MODEL_INVALID',
        `${file}: its output \`${name}\` gave ${odd}, which is no probability; export a classifier, or a model that ends in a sigmoid`,
      )
    }
    const missing = await this.predict(new Float32Array(width).fill(NaN), 1)
    if (Number.isNaN(missing.probability[0])) {
      throw new ServiceError(
        'MODEL_INVALID',
        `${file}: its output \`${name}\` is not a number where features are missing, and telemetry has missing values; put an imputer into the model`,
      )
    }
  }
}

async function createSession(file: string, bytes: Uint8Array): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(bytes, {
      executionProviders: ['cpu'],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
    })
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new ServiceError('MODEL_INVALID', `${file}: ONNX Runtime refuses it: ${why}`, { cause })
  }
}
