/**
 * One model, loaded and checked: on the tree kernel where it is one of ours, else on ONNX Runtime.
 * Both block their thread, so a predictor lives in the worker whose feature matrix it reads. The tree
 * kernel copies the rows once into its own memory; ONNX Runtime reads them where they are.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { assert, ServiceError } from '../core/errors.ts'
import type { ModelCard } from '../core/model.ts'
import { createTreePredictor } from './tree-predictor.ts'

/** Rows per run: beyond it the time per row no longer falls. */
const ROWS_PER_RUN_MAX = 4_096

export interface Scores {
  /** [rows], 0..1, calibrated. */
  readonly probability: Float32Array
  /** [rows], log odds before calibration. */
  readonly margin: Float32Array
}

export interface Predictor {
  readonly card: ModelCard
  /** `wasm`: the tree kernel; `cpu`: ONNX Runtime. */
  readonly provider: string
  /**
   * @param matrix float32 [rows, features], row-major; may be a view on (unshared) WASM memory.
   * @returns arrays owned by the caller.
   */
  predict(matrix: Float32Array, rowCount: number): Promise<Scores>
  dispose(): Promise<void>
}

/** What a table must produce for a model to be used on it. */
export interface FeatureSpace {
  readonly featureHash: string
  readonly featureNames: readonly string[]
}

export interface PredictorOptions {
  /** foreshock.wasm. Without it, or for a foreign model, ONNX Runtime serves. */
  readonly kernel?: WebAssembly.Module
}

/**
 * Loads `directory`/card.json and model.onnx.
 * ServiceError MODEL_INVALID: a file is missing, damaged or not what the card says.
 */
export async function loadPredictor(
  directory: string,
  { kernel }: PredictorOptions = {},
): Promise<Predictor> {
  const card = await readCard(directory)
  const file = join(directory, 'model.onnx')
  const bytes = await readModelFile(file)
  const hash = createHash('sha256').update(bytes).digest('hex')
  if (hash !== card.modelHash) {
    throw new ServiceError(
      'MODEL_INVALID',
      `${file}: its sha256 is ${hash.slice(0, 12)}… but card.json says ${card.modelHash.slice(0, 12)}…; the file is damaged or the card is of another model: train again or restore both`,
    )
  }
  const oracle = new OnnxPredictor(card, await createSession(file, bytes))
  if (kernel === undefined) return oracle
  const predictor = await createTreePredictor(kernel, bytes, oracle)
  if (predictor === null) return oracle
  await oracle.dispose()
  return predictor
}

/** ServiceError MODEL_MISMATCH, naming the features that differ, unless the model fits the table. */
export function checkFeatures(card: ModelCard, space: FeatureSpace): void {
  if (card.featureHash === space.featureHash) return
  const ours = new Set(space.featureNames)
  const theirs = new Set(card.features)
  const missing = card.features.filter((name) => !ours.has(name))
  const extra = space.featureNames.filter((name) => !theirs.has(name))
  const differs =
    missing.length + extra.length > 0
      ? `the model wants ${list(missing)} which this node class does not give; the class gives ${list(extra)} which the model does not know`
      : 'the names agree, but their order, the half-lives or the metric kinds of the node class differ'
  throw new ServiceError(
    'MODEL_MISMATCH',
    `model ${card.name} was trained on other features than node class \`${card.nodeClass}\` has now (feature hash ${card.featureHash.slice(0, 12)}… against ${space.featureHash.slice(0, 12)}…): ${differs}; train it again or restore the class it was trained with`,
  )
}

function list(names: readonly string[]): string {
  if (names.length === 0) return 'nothing'
  const shown = names
    .slice(0, 5)
    .map((name) => `\`${name}\``)
    .join(', ')
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown
}

async function readCard(directory: string): Promise<ModelCard> {
  const file = join(directory, 'card.json')
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    throw new ServiceError(
      'MODEL_INVALID',
      `${file}: no model card there; name a directory made by \`foreshock train --out\``,
      { cause },
    )
  }
  try {
    const card = JSON.parse(text) as ModelCard
    assert(Array.isArray(card.features) && typeof card.modelHash === 'string')
    return card
  } catch (cause) {
    throw new ServiceError('MODEL_INVALID', `${file}: not a model card; train the model again`, {
      cause,
    })
  }
}

async function readModelFile(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file)
  } catch (cause) {
    throw new ServiceError('MODEL_INVALID', `${file}: cannot be read; train the model again`, {
      cause,
    })
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

class OnnxPredictor implements Predictor {
  readonly card: ModelCard
  readonly provider = 'cpu'
  readonly #session: InferenceSession

  constructor(card: ModelCard, session: InferenceSession) {
    this.card = card
    this.#session = session
  }

  async predict(matrix: Float32Array, rowCount: number): Promise<Scores> {
    const width = this.card.features.length
    assert(matrix.length >= rowCount * width, 'the matrix is smaller than rows × features')
    const probability = new Float32Array(rowCount)
    const margin = new Float32Array(rowCount)
    for (let from = 0; from < rowCount; from += ROWS_PER_RUN_MAX) {
      const count = Math.min(ROWS_PER_RUN_MAX, rowCount - from)
      const input = matrix.subarray(from * width, (from + count) * width)
      const result = await this.#session.run({
        features: new Tensor('float32', input, [count, width]),
      })
      probability.set(floats(result['probability']), from)
      margin.set(floats(result['margin']), from)
    }
    return { probability, margin }
  }

  async dispose(): Promise<void> {
    await this.#session.release()
  }
}

function floats(tensor: InferenceSession.OnnxValueMapType[string] | undefined): Float32Array {
  const values = tensor?.data
  if (!(values instanceof Float32Array)) {
    throw new ServiceError(
      'MODEL_INVALID',
      'the model must give float32 outputs named `probability` and `margin`',
    )
  }
  return values
}
