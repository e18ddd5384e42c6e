/** One core of the CPU path: the tree kernel and the autoencoder over its share of the rows, when asked. */
import { parentPort, workerData } from 'node:worker_threads'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { assert } from '../../src/core/errors.ts'
import { readEnsemble } from '../../src/predict/onnx-trees.ts'
import { TreeKernel } from '../../src/predict/tree-kernel.ts'

export interface CpuShare {
  readonly module: WebAssembly.Module
  readonly trees: Uint8Array
  readonly autoencoder: Uint8Array
  /** float32 [rows, features]. */
  readonly rows: Float32Array
  readonly width: number
}

const ROWS_PER_RUN = 4_096

const port = parentPort
assert(port !== null, 'this file runs in a worker thread')
const { module, trees, autoencoder, rows, width } = workerData as CpuShare
const read = readEnsemble(trees, width)
assert(read.ok, 'the model is ours')
const kernel = TreeKernel.create(module, read.ensemble, width)
assert(kernel !== null, 'the kernel takes it')
const session = await InferenceSession.create(autoencoder, {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  logSeverityLevel: 3,
})
const rowCount = rows.length / width
const margin = new Float32Array(rowCount)

port.on('message', async () => {
  kernel.score(rows, rowCount, margin)
  for (let from = 0; from < rowCount; from += ROWS_PER_RUN) {
    const to = Math.min(rowCount, from + ROWS_PER_RUN)
    const part = rows.subarray(from * width, to * width)
    await session.run({ features: new Tensor('float32', part, [to - from, width]) })
  }
  port.postMessage('done', [])
})
port.postMessage('ready', [])
