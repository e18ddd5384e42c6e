/**
 * Which provider serves a model: CUDA, then WebGPU, then the CPU. A GPU that is only a CPU in disguise
 * (a software Vulkan driver) agrees and loses, so `auto` also wants a GPU to be the faster one.
 */
import { never, ServiceError } from '../core/errors.ts'
import type { ProviderChoice } from '../core/model.ts'
import { hasGpuDevice } from './gpu-device.ts'
import type { GpuProvider } from './gpu-model.ts'
import { openGpuPredictor, type GpuPredictor } from './gpu-predictor.ts'
import type { ModelIo } from './onnx-io.ts'
import type { Predictor } from './session.ts'

/** As many as a table hands over at a time where many nodes share their grid times. */
const TIMED_ROWS = 4_096

export interface GpuChoice {
  readonly choice: ProviderChoice
  readonly bytes: Uint8Array
  readonly io: ModelIo
  /** What GPUs are compared with. */
  readonly oracle: Predictor
  /** What serves where no GPU does. */
  readonly local: Predictor
  /** Why a provider that was thought of does not serve. */
  readonly onRefused: (provider: GpuProvider, reason: string) => void
}

/** Null: the CPU serves. ServiceError PROVIDER_UNAVAILABLE where the one that must serve cannot. */
export async function chooseGpu(options: GpuChoice): Promise<GpuPredictor | null> {
  const { choice, bytes, io, oracle, local, onRefused } = options
  for (const provider of candidates(choice)) {
    const opened = await openGpuPredictor(provider, bytes, io, oracle)
    if (!opened.ok && choice === provider) {
      throw new ServiceError(
        'PROVIDER_UNAVAILABLE',
        `inference.provider \`${provider}\` cannot serve model ${oracle.card.name}: ${opened.reason}; mend it or say \`auto\``,
      )
    }
    if (!opened.ok) {
      onRefused(provider, opened.reason)
      continue
    }
    const { predictor } = opened
    if (choice === provider) return predictor
    const [deviceMs, localMs] = [await msOf(predictor), await msOf(local)]
    if (deviceMs < localMs) return predictor
    await predictor.dispose()
    onRefused(
      provider,
      `it takes ${deviceMs.toFixed(1)} ms for ${TIMED_ROWS} rows, ${local.provider} takes ${localMs.toFixed(1)}`,
    )
  }
  return null
}

function candidates(choice: ProviderChoice): readonly GpuProvider[] {
  switch (choice) {
    case 'auto':
      return hasGpuDevice() ? ['cuda', 'webgpu'] : []
    case 'cuda':
    case 'webgpu':
      return [choice]
    case 'wasm':
    case 'cpu':
      return []
    default:
      return never(choice)
  }
}

/** The better of two, so that a kernel that is made on its first run does not count. */
async function msOf(predictor: Predictor): Promise<number> {
  const rows = new Float32Array(TIMED_ROWS * predictor.card.features.length)
  let best = Infinity
  for (let i = 0; i < 2; i++) {
    const from = performance.now()
    await predictor.predict(rows, TIMED_ROWS)
    best = Math.min(best, performance.now() - from)
  }
  return best
}
