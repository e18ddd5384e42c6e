// Goal: a watcher whose way to the GPU is cut goes on by itself, unless a GPU must serve.
import { MessageChannel } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { InferenceClient } from '../../../src/predict/inference-client.ts'
import { startInference } from '../../../src/predict/inference-host.ts'
import { InferenceServer } from '../../../src/predict/inference-server.ts'
import { loadPredictor } from '../../../src/predict/session.ts'
import { DRIVE } from '../../support/history/parity-classes.ts'
import { writeTinyModel } from '../../support/history/tiny-model.ts'
import { loadModule } from '../../support/training-data.ts'

const kernel = loadModule()
const directory = writeTinyModel(DRIVE, 3)

function cutClient(): InferenceClient {
  const { port1, port2 } = new MessageChannel()
  port1.close()
  return new InferenceClient(port2)
}

test('under `auto` the CPU serves, and why is told', async () => {
  const told: string[] = []
  const predictor = await loadPredictor(directory, {
    kernel,
    provider: 'auto',
    inference: cutClient(),
    onRefused: (provider, reason) => told.push(`${provider}: ${reason}`),
  })
  expect(predictor.provider).toBe('wasm')
  expect(told).toEqual(['gpu: the inference thread has ended'])
  await predictor.dispose()
})

test('where WebGPU must serve nothing is loaded', async () => {
  const inference = cutClient()
  await expect(
    loadPredictor(directory, { kernel, provider: 'webgpu', inference }),
  ).rejects.toMatchObject({
    code: 'PROVIDER_UNAVAILABLE',
    message: expect.stringMatching(
      /`webgpu` cannot serve model tiny-drive: .+; mend it or say `auto`$/,
    ) as string,
  })
})

test('a model that cannot be read is refused in the words of the thread', async () => {
  const { port1, port2 } = new MessageChannel()
  const server = new InferenceServer(kernel)
  server.serve(port1)
  const { card } = await loadPredictor(directory)
  const opening = new InferenceClient(port2).open('/nowhere', card, 'webgpu', () => {})
  await expect(opening).rejects.toMatchObject({ code: 'MODEL_INVALID' })
  server.close()
})

test('no thread is started for a provider of the CPU', () => {
  expect(startInference('cpu', kernel)).toBeNull()
  expect(startInference('wasm', kernel)).toBeNull()
})
