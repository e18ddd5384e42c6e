/**
 * An autoencoder as an ONNX model of plain operators, which every provider runs: `features` float32 [rows, width]
 * in, `score` [rows, 1] and `residuals` [rows, width] out. What is no finite number is missing: it counts
 * as the mean, and its residual as 0. It is found by a comparison, since WebGPU has no IsNaN.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { ServiceError } from '../src/core/errors.ts'
import { ELEMENT, encodeOnnx } from '../src/predict/onnx-schema.ts'
import { scoreAutoencoder, type Autoencoder } from './autoencoder.ts'

const IR_VERSION = 8
const OPSET = 17
const F32_MAX = 3.4028234663852886e38
/** Of a score or residual, to the larger of it and 1: sums of float32 in another order. */
const GAP_MAX = 1e-3
const ROWS_PER_RUN = 4_096

/** @param metricNames [width], kept in the file. */
export function autoencoderToOnnx(model: Autoencoder, metricNames: readonly string[]): Uint8Array {
  const { width, layers, mean, scale, residualMean, residualScale } = model
  const vectors = { mean, scale, residual_mean: residualMean, residual_scale: residualScale }
  return encodeOnnx({
    irVersion: IR_VERSION,
    producerName: 'foreshock',
    opsetImport: [{ domain: '', version: OPSET }],
    metadataProps: [{ key: 'metrics', value: JSON.stringify(metricNames) }],
    graph: {
      name: 'foreshock-autoencoder',
      input: [value('features', width)],
      output: [value('score', 1), value('residuals', width)],
      initializer: [
        ...Object.entries(vectors).map(([name, values]) => tensor(name, [width], values)),
        tensor('zero', [1], Float32Array.of(0)),
        tensor('largest', [1], Float32Array.of(F32_MAX)),
        ...layers.flatMap(({ weights, bias, inputs, outputs }, i) => [
          tensor(`weights_${i}`, [inputs, outputs], weights),
          tensor(`bias_${i}`, [outputs], bias),
        ]),
      ],
      node: [
        node('Abs', ['features'], 'magnitudes'),
        node('LessOrEqual', ['magnitudes', 'largest'], 'present'),
        node('Where', ['present', 'features', 'mean'], 'filled'),
        node('Sub', ['filled', 'mean'], 'centred'),
        node('Div', ['centred', 'scale'], 'values_0'),
        ...layers.flatMap((layer, i) => layerNodes(layer, i)),
        node('Sub', ['values_0', `values_${layers.length}`], 'said_wrongly'),
        node('Sub', ['said_wrongly', 'residual_mean'], 'shifted'),
        node('Div', ['shifted', 'residual_scale'], 'standardised'),
        node('Where', ['present', 'standardised', 'zero'], 'residuals'),
        node('Abs', ['residuals'], 'sizes'),
        node('ReduceMax', ['sizes'], 'score', [{ name: 'axes', type: 7, ints: [1] }]),
      ],
    },
  })
}

function layerNodes({ activation }: Autoencoder['layers'][number], i: number): readonly object[] {
  const sum = activation === 'tanh' ? `sum_${i}` : `values_${i + 1}`
  const nodes = [
    node('MatMul', [`values_${i}`, `weights_${i}`], `product_${i}`),
    node('Add', [`product_${i}`, `bias_${i}`], sum),
  ]
  return activation === 'tanh' ? [...nodes, node('Tanh', [sum], `values_${i + 1}`)] : nodes
}

/**
 * The largest gap between the file and `scoreAutoencoder`, relative to the larger of the value and 1.
 * ServiceError MODEL_INVALID where it is over 1e-3: nothing may be written then.
 */
export async function checkAutoencoder(
  onnx: Uint8Array,
  model: Autoencoder,
  rows: Float32Array,
): Promise<number> {
  const { width } = model
  const expected = scoreAutoencoder(model, rows)
  const rowCount = expected.score.length
  const session = await InferenceSession.create(onnx, { intraOpNumThreads: 1, logSeverityLevel: 3 })
  let gap = 0
  for (let from = 0; from < rowCount; from += ROWS_PER_RUN) {
    const to = Math.min(rowCount, from + ROWS_PER_RUN)
    const part = rows.subarray(from * width, to * width)
    const features = new Tensor('float32', part, [to - from, width])
    const said = await session.run({ features })
    gap = Math.max(
      gap,
      gapOf(said['score'].data as Float32Array, expected.score.subarray(from, to)),
      gapOf(
        said['residuals'].data as Float32Array,
        expected.residuals.subarray(from * width, to * width),
      ),
    )
  }
  await session.release()
  if (gap <= GAP_MAX) return gap
  throw new ServiceError(
    'MODEL_INVALID',
    `the exported autoencoder differs from the trainer by ${gap.toExponential(1)}, ${GAP_MAX} at most; nothing was written: report it with the data`,
  )
}

function gapOf(ours: Float32Array, theirs: Float32Array): number {
  return ours.reduce(
    (worst, value, i) =>
      Math.max(worst, Math.abs(value - theirs[i]) / Math.max(1, Math.abs(theirs[i]))),
    0,
  )
}

function node(
  opType: string,
  input: readonly string[],
  output: string,
  attribute: readonly object[] = [],
): object {
  return { opType, input, output: [output], attribute, name: output }
}

function tensor(name: string, dims: readonly number[], values: Float32Array): object {
  const { buffer, byteOffset, byteLength } = values
  return {
    name,
    dims,
    dataType: ELEMENT.float32,
    rawData: new Uint8Array(buffer, byteOffset, byteLength),
  }
}

function value(name: string, width: number): object {
  const shape = { dim: [{ dimParam: 'rows' }, { dimValue: width }] }
  return { name, type: { tensorType: { elemType: ELEMENT.float32, shape } } }
}
