/**
 * One model, loaded and checked: on a GPU where one is wanted and there, else on the tree kernel where that serves
 * it, else on ONNX Runtime's CPU provider. Each blocks its thread while it scores.
 */
import type { Explanation } from '../core/assessment.ts'
import { ServiceError } from '../core/errors.ts'
import type { ModelCard, ProviderChoice } from '../core/model.ts'
import { withShap } from './explained-predictor.ts'
import { FallbackPredictor } from './fallback-predictor.ts'
import { chooseGpu } from './gpu-choice.ts'
import type { GpuPredictor } from './gpu-predictor.ts'
import type { InferenceClient } from './inference-client.ts'
import { HorizonsPredictor } from './horizons.ts'
import { readHorizon, readModelDirectory, type ModelBytes } from './model-directory.ts'
import { OnnxPredictor } from './onnx-predictor.ts'
import { createTreePredictor } from './tree-predictor.ts'
import type { TreeShap } from './tree-shap.ts'

export interface Scores {
  /** [rows], 0..1, calibrated. */
  readonly probability: Float32Array
  /** [rows], log odds before calibration; of a foreign model those of its probability. */
  readonly margin: Float32Array
}

export interface Predictor {
  readonly card: ModelCard
  /** `cuda` or `webgpu`: ONNX Runtime on a GPU; `wasm`: the tree kernel; `cpu`: ONNX Runtime. */
  readonly provider: string
  /**
   * @param matrix float32 [rows, features], row-major; may be a view on (unshared) WASM memory.
   * @returns arrays owned by the caller.
   */
  predict(matrix: Float32Array, rowCount: number): Promise<Scores>
  /** Absent where it was not asked for, or the model has no trees with covers. */
  readonly shap?: TreeShap
  /** Of shorter horizons, rising; they read the same rows. Absent: the model has but one. */
  readonly shorter?: readonly Predictor[]
  dispose(): Promise<void>
}

/** How contributions of the model's features are found. */
export function explanationOf({ shap }: Predictor): Explanation {
  return shap === undefined ? 'occlusion' : 'tree-shap'
}

/** What a table must produce for a model to be used on it. */
export interface FeatureSpace {
  readonly featureHash: string
  readonly featureNames: readonly string[]
}

export interface PredictorOptions {
  /** foreshock.wasm. Without it, or for a model that it does not take, ONNX Runtime serves. */
  readonly kernel?: WebAssembly.Module | undefined
  /** Absent: the CPU, by whatever is faster there. */
  readonly provider?: ProviderChoice | undefined
  /** Exact contributions are wanted, where the model gives them: it is read once more. */
  readonly explains?: boolean
  /** To a thread that owns the GPU. Without it a GPU is used from this thread, which it blocks. */
  readonly inference?: InferenceClient | undefined
  /** Why a GPU that `auto` thought of does not serve. */
  readonly onRefused?: (provider: string, reason: string) => void
  /** A GPU that served is lost, and the CPU goes on. */
  readonly onLost?: (reason: string) => void
}

/**
 * Loads `directory`/card.json, model.onnx and the models of shorter horizons that the card names.
 * ServiceError MODEL_INVALID: a file is missing, damaged or not what the card says;
 * PROVIDER_UNAVAILABLE: the provider that must serve cannot.
 */
export async function loadPredictor(
  directory: string,
  options: PredictorOptions = {},
): Promise<Predictor> {
  const model = await readModelDirectory(directory)
  const main = await loadMain(directory, model, options)
  const { horizons } = model.card
  if (horizons === undefined) return main
  const shorter: Predictor[] = []
  try {
    for (const horizon of horizons) {
      const bytes = await readHorizon(directory, model.card, horizon)
      // Asked of the few rows that are told of, for which a GPU is no use.
      const provider = localChoice(options.provider ?? 'auto')
      shorter.push((await openModel(bytes, { kernel: options.kernel, provider })).local)
    }
    return new HorizonsPredictor(main, shorter)
  } catch (error) {
    for (const one of [main, ...shorter]) await one.dispose()
    throw error
  }
}

async function loadMain(
  directory: string,
  model: ModelBytes,
  options: PredictorOptions,
): Promise<Predictor> {
  const predictor = await openPredictor(directory, model, options)
  const { kernel, explains = false } = options
  return explains && kernel !== undefined ? withShap(kernel, model, predictor) : predictor
}

async function openPredictor(
  directory: string,
  model: ModelBytes,
  options: PredictorOptions,
): Promise<Predictor> {
  const { provider, inference, onRefused = () => {}, onLost = () => {} } = options
  if (inference === undefined || provider === undefined) {
    const { local, gpu } = await openModel(model, options)
    return gpu === null ? local : new FallbackPredictor(gpu, local, onLost)
  }
  // Here only what serves when the GPU is lost.
  const { local } = await openModel(model, { ...options, provider: localChoice(provider) })
  const gpu = await inference.open(directory, model.card, provider, onRefused)
  return gpu === null ? local : new FallbackPredictor(gpu, local, onLost)
}

function localChoice(provider: ProviderChoice): 'wasm' | 'cpu' | undefined {
  return provider === 'wasm' || provider === 'cpu' ? provider : undefined
}

/** The GPU alone, for a thread that serves others; null where the CPU is as good. */
export async function loadGpuPredictor(
  directory: string,
  options: Omit<PredictorOptions, 'inference' | 'onLost'>,
): Promise<GpuPredictor | null> {
  const { local, gpu } = await openModel(await readModelDirectory(directory), options)
  await local.dispose()
  return gpu
}

interface OpenedModel {
  readonly local: Predictor
  readonly gpu: GpuPredictor | null
}

async function openModel(model: ModelBytes, options: PredictorOptions): Promise<OpenedModel> {
  const { kernel, provider, onRefused = () => {} } = options
  const oracle = await OnnxPredictor.open(model)
  try {
    const trees =
      provider === 'cpu' || kernel === undefined ? null : await onKernel(kernel, model, oracle)
    if (provider === 'wasm' && trees === null) {
      throw new ServiceError(
        'PROVIDER_UNAVAILABLE',
        `inference.provider \`wasm\` cannot serve model ${model.card.name}: the tree kernel does not take it; say \`auto\` or \`cpu\``,
      )
    }
    const local = trees ?? oracle
    const choice = provider ?? 'cpu'
    const gpu = await chooseGpu({
      choice,
      bytes: model.bytes,
      io: oracle.io,
      oracle,
      local,
      onRefused,
    })
    if (trees !== null) await oracle.dispose()
    return { local, gpu }
  } catch (error) {
    await oracle.dispose()
    throw error
  }
}

function onKernel(
  kernel: WebAssembly.Module,
  { bytes }: ModelBytes,
  oracle: OnnxPredictor,
): Promise<Predictor | null> {
  return createTreePredictor(kernel, bytes, oracle, { isMarginGiven: oracle.io.margin !== null })
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
