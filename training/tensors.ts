/**
 * TensorFlow.js on the fastest backend that this machine has: tfjs-node-gpu where it is installed and loads, WebGPU
 * through Dawn's binding where there is a GPU, then WebAssembly, then plain JavaScript. Whatever is
 * trained gets the same functions from each.
 */
import { createRequire } from 'node:module'
import { dirname, join, sep } from 'node:path'
import type * as core from '@tensorflow/tfjs-core'
import { never, ServiceError } from '../src/core/errors.ts'
import { hasGpuDevice } from '../src/predict/gpu-device.ts'

export type Tf = typeof core
export type TensorBackend = 'tfjs-node-gpu' | 'webgpu' | 'wasm' | 'cpu'

export interface Tensors {
  readonly tf: Tf
  readonly backend: TensorBackend
  /** Why a backend that is faster than this one was not taken. */
  readonly refusals: readonly { readonly backend: TensorBackend; readonly reason: string }[]
}

const ORDER: readonly TensorBackend[] = ['tfjs-node-gpu', 'webgpu', 'wasm', 'cpu']

/**
 * @param wanted a backend that must be taken; without it the first that works.
 * ServiceError PROVIDER_UNAVAILABLE where it cannot.
 */
export async function openTensors(wanted?: TensorBackend): Promise<Tensors> {
  const refusals: { backend: TensorBackend; reason: string }[] = []
  for (const backend of wanted === undefined ? ORDER : [wanted]) {
    try {
      if (backend === 'webgpu' && wanted === undefined && !hasGpuDevice()) {
        throw new Error('there is no GPU device')
      }
      return { tf: await open(backend), backend, refusals }
    } catch (error) {
      const reason = (error instanceof Error ? error.message : String(error)).split('\n')[0]
      refusals.push({ backend, reason })
    }
  }
  const why = refusals.map(({ backend, reason }) => `${backend}: ${reason}`).join('; ')
  throw new ServiceError('PROVIDER_UNAVAILABLE', `TensorFlow.js does not start (${why})`)
}

function open(backend: TensorBackend): Promise<Tf> {
  switch (backend) {
    case 'tfjs-node-gpu':
      return openNative()
    case 'webgpu':
      return openWebGpu()
    case 'wasm':
      return openWasm()
    case 'cpu':
      return openPlain()
    default:
      return never(backend)
  }
}

/** An optional peer: it brings its own copy of the core, and CUDA 11.2 must be there for it. */
async function openNative(): Promise<Tf> {
  const name: string = '@tensorflow/tfjs-node-gpu'
  const loaded = (await import(name)) as { readonly default?: Tf } & Tf
  const tf = loaded.default ?? loaded
  await select(tf, 'tensorflow')
  return tf
}

async function openWebGpu(): Promise<Tf> {
  const { create, globals } = await import('webgpu')
  Object.assign(globalThis, globals)
  const gpu = create([])
  if (!('navigator' in globalThis)) Object.defineProperty(globalThis, 'navigator', { value: {} })
  Object.defineProperty(navigator, 'gpu', { value: gpu, configurable: true })
  if ((await gpu.requestAdapter()) === null) throw new Error('there is no WebGPU adapter')
  const tf = await import('@tensorflow/tfjs-core')
  await import('@tensorflow/tfjs-backend-webgpu')
  await select(tf, 'webgpu')
  return tf
}

async function openWasm(): Promise<Tf> {
  const tf = await import('@tensorflow/tfjs-core')
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm')
  const main = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm')
  setWasmPaths(join(dirname(main), sep))
  await select(tf, 'wasm')
  return tf
}

async function openPlain(): Promise<Tf> {
  const tf = await import('@tensorflow/tfjs-core')
  // Else it advertises another backend on stderr.
  tf.enableProdMode()
  await import('@tensorflow/tfjs-backend-cpu')
  await select(tf, 'cpu')
  return tf
}

async function select(tf: Tf, name: string): Promise<void> {
  if (!(await tf.setBackend(name))) throw new Error(`the backend ${name} does not start`)
  await tf.ready()
}
