// Goal: TensorFlow.js trains on the device through Dawn's binding what it trains elsewhere, and the exported
// autoencoder runs on the device whole.
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { expect, test } from 'vitest'
import { sessionOptions } from '../../src/predict/gpu-model.ts'
import { fitAutoencoder, scoreAutoencoder } from '../../training/autoencoder.ts'
import { autoencoderToOnnx } from '../../training/onnx-autoencoder.ts'
import { openTensors } from '../../training/tensors.ts'
import { HAS_GPU } from '../support/gpu.ts'
import { normalRows } from '../support/normal-rows.ts'

const WIDTH = 8
const rows = normalRows({ rowCount: 400, width: WIDTH, seed: 1, missing: 0.02 })

test.skipIf(!HAS_GPU)(
  'weights learned on the device are those of WebAssembly to 1e-4',
  async () => {
    const webgpu = await openTensors('webgpu')
    expect(webgpu.tf.getBackend()).toBe('webgpu')
    const ours = await fitAutoencoder(rows, WIDTH, { tensors: webgpu, epochsMax: 2 })
    expect(ours.backend).toBe('webgpu')
    const wasm = await openTensors('wasm')
    const theirs = await fitAutoencoder(rows, WIDTH, { tensors: wasm, epochsMax: 2 })
    for (const [i, { weights }] of ours.layers.entries()) {
      const gaps = weights.map((weight, at) => Math.abs(weight - theirs.layers[i].weights[at]))
      expect(Math.max(...gaps)).toBeLessThanOrEqual(1e-4)
    }
  },
)

test.skipIf(!HAS_GPU)(
  'the exported file has every node on the device and says what the trainer says',
  async () => {
    const tensors = await openTensors('wasm')
    const model = await fitAutoencoder(rows, WIDTH, { tensors, epochsMax: 3 })
    const names = Array.from({ length: WIDTH }, (_, f) => `m${f}`)
    // These options refuse a model of which a node would be left to the CPU.
    const session = await InferenceSession.create(
      autoencoderToOnnx(model, names),
      sessionOptions('webgpu'),
    )
    const { score } = await session.run({ features: new Tensor('float32', rows, [400, WIDTH]) })
    await session.release()
    const expected = scoreAutoencoder(model, rows).score
    const gaps = (score.data as Float32Array).map((value, row) => Math.abs(value - expected[row]))
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1e-3)
  },
)
