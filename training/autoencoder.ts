/**
 * An autoencoder of normal rows: it learns to say each metric from all of them through a narrow middle, and what
 * it then says wrongly of a metric, measured in how wrong it is of normal rows, is how odd that metric
 * is. A row's score is its oddest metric: a squared error over all of them hides one that fails.
 */
import type { NamedTensorMap, Tensor, Variable } from '@tensorflow/tfjs-core'
import { assert } from '../src/core/errors.ts'
import { randomFrom } from './boost.ts'
import { openTensors, type Tensors, type Tf } from './tensors.ts'

/** In float32 throughout, so that the exported model says the same. */
export interface Autoencoder {
  readonly width: number
  /** [width]: a value becomes (value - mean) / scale. */
  readonly mean: Float32Array
  readonly scale: Float32Array
  readonly layers: readonly AutoencoderLayer[]
  /** [width]: of the residuals of normal rows. */
  readonly residualMean: Float32Array
  readonly residualScale: Float32Array
  readonly backend: string
  readonly epochs: number
  /** Mean squared error of the held-out rows, standardised. */
  readonly loss: number
}

export interface AutoencoderLayer {
  /** [inputs, outputs], row-major. */
  readonly weights: Float32Array
  readonly bias: Float32Array
  readonly inputs: number
  readonly outputs: number
  /** The last layer is linear. */
  readonly activation: 'tanh' | 'linear'
}

export interface AutoencoderOptions {
  /** Units from the outside to the middle, and back again; by the width when absent. */
  readonly hidden?: readonly number[]
  readonly epochsMax?: number
  readonly rowsPerBatch?: number
  readonly learningRate?: number
  /** Epochs without a better loss on held-out rows before it stops. */
  readonly patience?: number
  /** Of a metric, in units of its own: one that hardly moves is not divided by nothing. */
  readonly scaleMin?: number
  readonly seed?: number
  readonly tensors?: Tensors
  readonly signal?: AbortSignal
  readonly onEpoch?: (epoch: number, loss: number) => void
}

const DEFAULTS = {
  epochsMax: 40,
  rowsPerBatch: 256,
  learningRate: 2e-3,
  patience: 4,
  scaleMin: 1e-2,
  seed: 1,
}
/** Every tenth row is held out to say when to stop; the last ones, since neighbours in time are alike. */
const HELD_OUT_RATIO = 0.1
const ROWS_MIN = 32
const RESIDUAL_SCALE_MIN = 1e-3

/** @param rows float32 [rows, width], row-major, of normal times; NaN or infinite is missing. */
export async function fitAutoencoder(
  rows: Float32Array,
  width: number,
  options: AutoencoderOptions = {},
): Promise<Autoencoder> {
  const rowCount = rows.length / width
  assert(Number.isInteger(rowCount) && rowCount >= ROWS_MIN, `at least ${ROWS_MIN} rows`)
  const settings = { ...DEFAULTS, ...options }
  const tensors = options.tensors ?? (await openTensors())
  const { mean, scale } = moments(rows, width, settings.scaleMin)
  const inputs = standardise(rows, { mean, scale })
  const heldOut = Math.max(1, Math.floor(rowCount * HELD_OUT_RATIO))
  const fitted = await train(tensors.tf, {
    inputs,
    width,
    fitCount: rowCount - heldOut,
    rowCount,
    sizes: layerSizes(width, options.hidden),
    settings,
  })
  const plain = { width, mean, scale, layers: fitted.layers }
  const none = new Float32Array(width)
  const residuals = residualsOf(
    { ...plain, residualMean: none, residualScale: none.map(() => 1) },
    rows,
  )
  const { mean: residualMean, scale: residualScale } = moments(residuals, width, RESIDUAL_SCALE_MIN)
  const { epochs, loss } = fitted
  return { ...plain, residualMean, residualScale, backend: tensors.backend, epochs, loss }
}

/** One for each cohort; those of too few rows share one of all their rows. */
export async function fitCohorts(
  cohorts: ReadonlyMap<string, Float32Array>,
  width: number,
  { rowsMin = 1_000, ...options }: AutoencoderOptions & { readonly rowsMin?: number } = {},
): Promise<ReadonlyMap<string, Autoencoder>> {
  const tensors = options.tensors ?? (await openTensors())
  const isSmall = ([, rows]: readonly [string, Float32Array]) => rows.length < rowsMin * width
  const small = [...cohorts].filter(isSmall)
  const models = new Map<string, Autoencoder>()
  for (const [name, rows] of cohorts) {
    if (rows.length < rowsMin * width) continue
    models.set(name, await fitAutoencoder(rows, width, { ...options, tensors }))
  }
  if (small.length === 0) return models
  const together = concatenate(small.map(([, rows]) => rows))
  const shared = await fitAutoencoder(together, width, { ...options, tensors })
  for (const [name] of small) models.set(name, shared)
  return models
}

export interface AnomalyScores {
  /** [rows]: the largest of the row's residuals, without its sign. */
  readonly score: Float32Array
  /** [rows, width]: in standard deviations of normal rows; 0 where the metric is missing. */
  readonly residuals: Float32Array
}

/** The reference that the exported model must equal. */
export function scoreAutoencoder(model: Autoencoder, rows: Float32Array): AnomalyScores {
  const { width } = model
  const residuals = residualsOf(model, rows).map((value) => (Number.isNaN(value) ? 0 : value))
  const score = new Float32Array(rows.length / width)
  for (const [i, residual] of residuals.entries()) {
    const row = Math.floor(i / width)
    score[row] = Math.max(score[row], Math.abs(residual))
  }
  return { score, residuals }
}

/** Narrow enough that a metric must be told from others: half of the metrics, then an eighth. */
function layerSizes(width: number, hidden?: readonly number[]): readonly number[] {
  const middle = Math.max(2, Math.round(width / 8))
  const sides = hidden ?? [Math.max(middle, Math.round(width / 2)), middle]
  return [width, ...sides, ...sides.slice(0, -1).toReversed(), width]
}

/** Of the values that are there; a metric without any has mean 0. */
function moments(rows: Float32Array, width: number, scaleMin: number) {
  const mean = new Float32Array(width)
  const scale = new Float32Array(width)
  for (let f = 0; f < width; f++) {
    let [count, sum, squares] = [0, 0, 0]
    for (let i = f; i < rows.length; i += width) {
      if (!Number.isFinite(rows[i])) continue
      count++
      sum += rows[i]
    }
    mean[f] = count === 0 ? 0 : sum / count
    for (let i = f; i < rows.length; i += width) {
      if (Number.isFinite(rows[i])) squares += (rows[i] - mean[f]) ** 2
    }
    scale[f] = Math.max(scaleMin, count === 0 ? 0 : Math.sqrt(squares / count))
  }
  return { mean, scale }
}

/** A missing value becomes the mean. */
function standardise(
  rows: Float32Array,
  { mean, scale }: Pick<Autoencoder, 'mean' | 'scale'>,
): Float32Array {
  const width = mean.length
  return rows.map((value, i) =>
    !Number.isFinite(value) ? 0 : Math.fround(value - mean[i % width]) / scale[i % width],
  )
}

/** [rows, width], standardised; NaN where the metric is missing. */
function residualsOf(
  model: Omit<Autoencoder, 'backend' | 'epochs' | 'loss'>,
  rows: Float32Array,
): Float32Array {
  const { width, layers, residualMean, residualScale } = model
  const inputs = standardise(rows, model)
  let values = inputs
  for (const layer of layers) values = forward(layer, values)
  return rows.map((value, i) =>
    !Number.isFinite(value)
      ? NaN
      : Math.fround(Math.fround(inputs[i] - values[i]) - residualMean[i % width]) /
        residualScale[i % width],
  )
}

function forward(layer: AutoencoderLayer, values: Float32Array): Float32Array<ArrayBuffer> {
  const { weights, bias, inputs, outputs, activation } = layer
  const rowCount = values.length / inputs
  const result = new Float32Array(rowCount * outputs)
  for (let row = 0; row < rowCount; row++) {
    for (let to = 0; to < outputs; to++) {
      let sum = bias[to]
      for (let from = 0; from < inputs; from++) {
        sum += values[row * inputs + from] * weights[from * outputs + to]
      }
      result[row * outputs + to] = activation === 'tanh' ? Math.tanh(sum) : sum
    }
  }
  return result
}

interface Training {
  readonly inputs: Float32Array
  readonly width: number
  /** The first rows are learned from, the others say when to stop. */
  readonly fitCount: number
  readonly rowCount: number
  readonly sizes: readonly number[]
  readonly settings: typeof DEFAULTS & AutoencoderOptions
}

async function train(tf: Tf, training: Training) {
  const { inputs, width, fitCount, rowCount, sizes, settings } = training
  const random = randomFrom(settings.seed)
  const layers = tf.tidy(() =>
    sizes.slice(1).map((outputs, i): LayerVariables => {
      const weights = tf.tensor2d(glorot(sizes[i], outputs, random), [sizes[i], outputs])
      return { weights: tf.variable(weights), bias: tf.variable(tf.zeros([outputs])) }
    }),
  )
  const all = tf.tensor2d(inputs, [rowCount, width])
  const held = tf.slice(all, [fitCount, 0])
  const optimizer = tf.train.adam(settings.learningRate)
  const read = () =>
    Promise.all(
      layers.map(async ({ weights, bias }, i): Promise<AutoencoderLayer> => ({
        weights: Float32Array.from(await weights.data()),
        bias: Float32Array.from(await bias.data()),
        inputs: sizes[i],
        outputs: sizes[i + 1],
        activation: i < layers.length - 1 ? 'tanh' : 'linear',
      })),
    )
  let best = { loss: Infinity, epochs: 0, layers: await read() }
  const order = Array.from({ length: fitCount }, (_, row) => row)
  try {
    for (let epoch = 1; epoch <= settings.epochsMax; epoch++) {
      shuffle(order, random)
      for (let from = 0; from < fitCount; from += settings.rowsPerBatch) {
        settings.signal?.throwIfAborted()
        tf.tidy(() => {
          const chosen = tf.tensor1d(order.slice(from, from + settings.rowsPerBatch), 'int32')
          const found = gradients(tf, layers, tf.gather(all, chosen))
          optimizer.applyGradients(
            Object.entries(found).map(([name, tensor]) => ({ name, tensor })),
          )
        })
      }
      const lossTensor = tf.tidy(() => lossOf(tf, held, activations(tf, layers, held).at(-1)!))
      const [loss] = await lossTensor.data()
      lossTensor.dispose()
      settings.onEpoch?.(epoch, loss)
      if (loss < best.loss) best = { loss, epochs: epoch, layers: await read() }
      else if (epoch - best.epochs >= settings.patience) break
    }
    return best
  } finally {
    for (const { weights, bias } of layers) {
      weights.dispose()
      bias.dispose()
    }
    optimizer.dispose()
    tf.dispose([all, held])
  }
}

/** No interface: TensorFlow.js looks for tensors in whatever has an index signature. */
type LayerVariables = {
  readonly weights: Variable
  readonly bias: Variable
}

/** What goes into each layer, and what comes out of the last. */
function activations(tf: Tf, layers: readonly LayerVariables[], batch: Tensor): readonly Tensor[] {
  const all = [batch]
  for (const [i, { weights, bias }] of layers.entries()) {
    const sum = tf.add(tf.matMul(all[i], weights), bias)
    all.push(i < layers.length - 1 ? tf.tanh(sum) : sum)
  }
  return all
}

function lossOf(tf: Tf, batch: Tensor, said: Tensor): Tensor {
  return tf.mean(tf.square(tf.sub(said, batch)))
}

/**
 * Backpropagation of the mean squared error, by variable. Written out, because the core alone has the optimizers
 * but registers no gradients, and the package that does brings WebGL, converters and data sets.
 */
function gradients(tf: Tf, layers: readonly LayerVariables[], batch: Tensor): NamedTensorMap {
  const values = activations(tf, layers, batch)
  const named: NamedTensorMap = {}
  let delta = tf.mul(tf.sub(values[layers.length], batch), 2 / batch.size)
  for (let i = layers.length - 1; i >= 0; i--) {
    const { weights, bias } = layers[i]
    named[weights.name] = tf.matMul(values[i], delta, true, false)
    named[bias.name] = tf.sum(delta, 0)
    if (i === 0) break
    const slope = tf.sub(1, tf.square(values[i]))
    delta = tf.mul(tf.matMul(delta, weights, false, true), slope)
  }
  return named
}

/** Uniform in ± sqrt(6 / (inputs + outputs)): https://proceedings.mlr.press/v9/glorot10a.html */
function glorot(inputs: number, outputs: number, random: () => number): Float32Array {
  const limit = Math.sqrt(6 / (inputs + outputs))
  return Float32Array.from({ length: inputs * outputs }, () => (random() * 2 - 1) * limit)
}

/** Fisher and Yates, from the seed. */
function shuffle(order: number[], random: () => number): void {
  for (let i = order.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1))
    const kept = order[i]
    order[i] = order[other]
    order[other] = kept
  }
}

function concatenate(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
