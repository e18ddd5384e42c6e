/** Starts the inference thread, and gives each watcher thread a port of its own to it. */
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProviderChoice } from '../core/model.ts'
import { hasGpuDevice } from './gpu-device.ts'
import type { InferenceThreadData } from './inference-thread.ts'

/** A device that hangs is left behind. */
const CLOSE_MS_MAX = 10_000

export interface InferenceHost {
  /** To be sent to the thread that predicts. */
  connect(): MessagePort
  /** What waits at the ports fails. The thread ends by itself after the run that it is in. */
  close(): Promise<void>
}

/** Null where no GPU may serve: nothing is started then. */
export function startInference(
  provider: ProviderChoice,
  kernel: WebAssembly.Module,
): InferenceHost | null {
  if (provider === 'wasm' || provider === 'cpu') return null
  if (provider === 'auto' && !hasGpuDevice()) return null
  const worker = startThread({ kernel })
  let hasEnded = false
  const ended = new Promise<void>((resolve) => {
    worker.on('exit', () => {
      hasEnded = true
      resolve()
    })
  })
  // What fails in the thread, a driver say, ends only the thread: its ports close, and the CPU goes on.
  worker.on('error', (error) => process.emitWarning(error))
  return {
    connect: () => {
      const { port1, port2 } = new MessageChannel()
      if (hasEnded) port1.close()
      else worker.postMessage(port1, [port1])
      return port2
    },
    close: async () => {
      // Never terminated: a run of ONNX Runtime whose thread is taken away ends the whole process.
      worker.postMessage(null, [])
      worker.unref()
      await Promise.race([ended, sleep(CLOSE_MS_MAX, undefined, { ref: false })])
    },
  }
}

/** From the build it is one file; from the sources it needs the loader that the main thread has. */
function startThread(workerData: InferenceThreadData): Worker {
  if (!import.meta.url.endsWith('.ts')) {
    return new Worker(new URL('./inference-thread.js', import.meta.url), { workerData })
  }
  const loader = import.meta.resolve('tsx/esm/api')
  const entry = new URL('./inference-thread.ts', import.meta.url).href
  const start = `import('${loader}').then((tsx) => (tsx.register(), import('${entry}')))`
  return new Worker(start, { eval: true, workerData })
}
