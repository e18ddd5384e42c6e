/**
 * A million nodes scored by 200 trees and an autoencoder: on the GPU, copies and keys included, against our own
 * CPU path with every core of the same machine. Without a GPU the row says so.
 */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { loadKernel } from '../../src/commands/package.ts'
import { hasGpuDevice } from '../../src/predict/gpu-device.ts'
import { sessionOptions, type GpuProvider } from '../../src/predict/gpu-model.ts'
import type { GpuPredictor } from '../../src/predict/gpu-predictor.ts'
import { loadGpuPredictor } from '../../src/predict/session.ts'
import { fitAutoencoder } from '../../training/autoencoder.ts'
import { findBounds, toBinnedRows } from '../../training/bins.ts'
import { DEFAULT_BOOST, randomFrom, trainBoost } from '../../training/boost.ts'
import { autoencoderToOnnx } from '../../training/onnx-autoencoder.ts'
import { toOnnx } from '../../training/onnx.ts'
import { alternate, missingRow, ratioRow, type Bench } from '../bench.ts'
import type { CpuShare } from './cpu-thread.ts'

const FEATURES = 64
const TREES = 200
const LEAVES = 31
const NODES = 1_048_576
const ROWS = 65_536
const TRAINED_ROWS = 20_000
const REACH = 5
const RIVAL = 'our CPU path, all cores'
const WHAT = `serving ${NODES} nodes, ${TREES} trees × ${LEAVES} leaves and an autoencoder, ${FEATURES} features`

export const bench: Bench = {
  name: 'GPU serving',
  async run({ quick, log }) {
    if (!hasGpuDevice()) return [missingRow(WHAT, RIVAL, REACH, 'no GPU here')]
    const module = await loadKernel()
    const directory = mkdtempSync(join(tmpdir(), 'foreshock-bench-'))
    try {
      const models = await makeModels(module, directory)
      const device = await openDevice(directory, log)
      if (device === null) return [missingRow(WHAT, RIVAL, REACH, 'no GPU here that serves')]
      const passes = quick ? 1 : NODES / ROWS
      const rows = makeRows(ROWS, 2)
      const cores = await startCores({ module, ...models, width: FEATURES }, rows)
      const session = await InferenceSession.create(
        models.autoencoder,
        sessionOptions(device.provider),
      )
      const times = await alternate(quick ? 2 : 5, {
        ours: () => repeat(passes, () => onDevice(device, session, rows)),
        cpu: () => repeat(passes, () => onCores(cores)),
      })
      await session.release()
      await device.dispose()
      await Promise.all(cores.map((core) => core.terminate()))
      const figures = { provider: device.provider, cores: cores.length, rows: ROWS * passes }
      return [ratioRow(WHAT, RIVAL, times, { ours: 'ours', rival: 'cpu', reach: REACH }, figures)]
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  },
}

async function repeat(passes: number, work: () => Promise<void>): Promise<void> {
  for (let pass = 0; pass < passes; pass++) await work()
}

async function onDevice(
  device: GpuPredictor,
  session: InferenceSession,
  rows: Float32Array,
): Promise<void> {
  await device.predict(rows, ROWS)
  await session.run({ features: new Tensor('float32', rows, [ROWS, FEATURES]) })
}

async function onCores(cores: readonly Worker[]): Promise<void> {
  const done = cores.map((core) => once(core, 'message'))
  for (const core of cores) core.postMessage('go', [])
  await Promise.all(done)
}

async function openDevice(
  directory: string,
  log: (text: string) => void,
): Promise<GpuPredictor | null> {
  const onRefused = (provider: string, reason: string) => log(`${provider}: ${reason}`)
  for (const provider of ['cuda', 'webgpu'] satisfies readonly GpuProvider[]) {
    try {
      return await loadGpuPredictor(directory, { provider, onRefused })
    } catch (error) {
      onRefused(provider, error instanceof Error ? error.message : String(error))
    }
  }
  return null
}

async function startCores(
  share: Omit<CpuShare, 'rows'>,
  rows: Float32Array,
): Promise<readonly Worker[]> {
  const count = availableParallelism()
  const loader = import.meta.resolve('tsx/esm/api')
  const entry = new URL('./cpu-thread.ts', import.meta.url).href
  const start = `import('${loader}').then((tsx) => (tsx.register(), import('${entry}')))`
  const cores = Array.from({ length: count }, (_, core) => {
    const [from, to] = [core, core + 1].map((at) => Math.floor((at * ROWS) / count) * FEATURES)
    const workerData: CpuShare = { ...share, rows: rows.slice(from, to) }
    return new Worker(start, { eval: true, workerData })
  })
  await Promise.all(cores.map((core) => once(core, 'message')))
  return cores
}

/** Writes the trees' model and its card; what a card says of quality plays no part. */
async function makeModels(
  module: WebAssembly.Module,
  directory: string,
): Promise<Pick<CpuShare, 'trees' | 'autoencoder'>> {
  const matrix = makeRows(TRAINED_ROWS, 1)
  const bounds = findBounds(matrix, FEATURES)
  const labels = Uint8Array.from({ length: TRAINED_ROWS }, (_, row) => {
    const [a, b] = matrix.subarray(row * FEATURES)
    return a - b * b > 0 ? 1 : 0
  })
  const rows = toBinnedRows(matrix, labels, bounds)
  const params = { ...DEFAULT_BOOST, treesMax: TREES, leavesMax: LEAVES }
  const booster = trainBoost(module, { rows, bounds, validation: null }, params)
  const features = Array.from({ length: FEATURES }, (_, f) => `f${f}`)
  const trees = toOnnx({
    booster,
    calibration: { kind: 'sigmoid', slope: 1, intercept: 0 },
    featureNames: features,
    featureHash: 'bench',
    horizonMs: 1,
    version: 'bench',
  })
  const modelHash = createHash('sha256').update(trees).digest('hex')
  writeFileSync(join(directory, 'model.onnx'), trees)
  writeFileSync(
    join(directory, 'card.json'),
    JSON.stringify({ name: 'bench', features, modelHash }),
  )
  const fitted = await fitAutoencoder(matrix.subarray(0, 2_000 * FEATURES), FEATURES, {
    epochsMax: 2,
  })
  return { trees, autoencoder: autoencoderToOnnx(fitted, features) }
}

function makeRows(rowCount: number, seed: number): Float32Array {
  const random = randomFrom(seed)
  return Float32Array.from({ length: rowCount * FEATURES }, () =>
    random() < 0.1 ? NaN : random() * 4 - 2,
  )
}
