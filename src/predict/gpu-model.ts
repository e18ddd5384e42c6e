/**
 * The GPU form of a model on one execution provider of ONNX Runtime. It serves only where every node was placed
 * on that provider (a TreeEnsemble under WebGPU would silently run on the CPU) and where it says on hard
 * rows what the CPU says. A run blocks its thread until the device is done.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { InferenceSession } from 'onnxruntime-node'
import { KEYS } from './dense-trees.ts'
import { hasNvidiaDevice } from './gpu-device.ts'
import { toDenseModel } from './dense-model.ts'
import type { ModelIo } from './onnx-io.ts'
import { OnnxRuns } from './onnx-run.ts'
import { RowEncoder, type EncodedRows, type KeySlot } from './row-keys.ts'
import type { Scores } from './session.ts'

export type GpuProvider = 'cuda' | 'webgpu'

/** Of the widest tensor in between; half of what WebGPU lets a buffer be by default. */
const RUN_BYTES_MAX = 64 * 2 ** 20
const ROWS_PER_RUN_MAX = 65_536

export interface GpuModel {
  readonly provider: GpuProvider
  /** Null: rows are floats as they are. */
  readonly slots: readonly KeySlot[] | null
  readonly encoder: RowEncoder
  /** More rows than these take several runs. */
  readonly rowsPerRun: number
  /** Fails when the device is lost. @param rows [rows, encoder.width]. */
  run(rows: EncodedRows, rowCount: number): Promise<Scores>
  release(): Promise<void>
}

export type GpuOpened =
  | { readonly ok: true; readonly model: GpuModel }
  | { readonly ok: false; readonly reason: string }

/** @param bytes model.onnx, whose inputs and outputs are `io`. */
export async function openGpuModel(
  provider: GpuProvider,
  bytes: Uint8Array,
  io: ModelIo,
  featureCount: number,
): Promise<GpuOpened> {
  const refusal = provider === 'cuda' ? cudaRefusal() : null
  if (refusal !== null) return { ok: false, reason: refusal }
  const outputs = [io.probability.name, ...(io.margin === null ? [] : [io.margin])]
  const dense = toDenseModel(bytes, featureCount, outputs)
  if (!dense.ok) return { ok: false, reason: `the model has no GPU form: ${dense.reason}` }
  let session: InferenceSession
  try {
    session = await InferenceSession.create(dense.bytes, sessionOptions(provider))
  } catch (error) {
    return { ok: false, reason: reasonOf(provider, error) }
  }
  const { slots, floatsPerRow } = dense
  const rowsPerRun = rowsPerRunOf(floatsPerRow)
  const runs = new OnnxRuns(session, io, rowsPerRun)
  const encoder = new RowEncoder(slots, featureCount)
  const name = slots === null ? io.input : KEYS
  return {
    ok: true,
    model: {
      provider,
      slots,
      encoder,
      rowsPerRun,
      run: (values, rowCount) => runs.run({ name, values, width: encoder.width }, rowCount),
      release: () => runs.release(),
    },
  }
}

/** A session that is left to itself puts what its provider lacks on the CPU; this one then fails. */
export function sessionOptions(provider: GpuProvider): InferenceSession.SessionOptions {
  return {
    executionProviders: [provider],
    logSeverityLevel: 4,
    extra: { session: { disable_cpu_ep_fallback: '1' } },
  }
}

function rowsPerRunOf(floatsPerRow: number): number {
  const rows = Math.floor(RUN_BYTES_MAX / (4 * floatsPerRow))
  return Math.min(Math.max(rows, 1), ROWS_PER_RUN_MAX)
}

/** Without them ONNX Runtime would say so on stderr, in words that help nobody. */
function cudaRefusal(): string | null {
  const library = join(runtimeDirectory(), 'libonnxruntime_providers_cuda.so')
  if (!existsSync(library)) {
    return 'ONNX Runtime has no CUDA library here: run `npm run setup:cuda`, or use Dockerfile.cuda'
  }
  return hasNvidiaDevice() ? null : 'there is no NVIDIA device, or its driver is not loaded'
}

/** Where onnxruntime-node keeps its native libraries, and looks for those of providers. */
function runtimeDirectory(): string {
  const main = createRequire(import.meta.url).resolve('onnxruntime-node')
  return join(dirname(main), '..', 'bin', 'napi-v6', process.platform, process.arch)
}

function reasonOf(provider: GpuProvider, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  if (message.includes('assigned to the default CPU EP')) {
    return `parts of the model would run on the CPU under ${provider}, which lacks their operators`
  }
  if (message.includes('No supported adapters')) {
    return 'there is no GPU that WebGPU can use (on Linux: no Vulkan driver is found)'
  }
  if (provider === 'cuda')
    return `CUDA does not start (${message.trim()}): it needs NVIDIA's driver 580 or newer, CUDA 13 and cuDNN 9; \`npm run setup:cuda -- --check\` says what is missing`
  return `WebGPU does not start: ${message.trim()}`
}
