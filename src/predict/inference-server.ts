/**
 * The GPU's side of the inference thread: models are opened once, however many watchers use them, and rows
 * of all watchers are scored together.
 */
import type { MessagePort } from 'node:worker_threads'
import { isServiceError, never } from '../core/errors.ts'
import type { GpuPredictor } from './gpu-predictor.ts'
import type { InferenceAnswer, InferenceRequest, Refusal } from './inference-messages.ts'
import { InferenceQueue } from './inference-queue.ts'
import { loadGpuPredictor } from './session.ts'

interface Served {
  readonly predictor: GpuPredictor
  readonly queue: InferenceQueue
}

interface Shared {
  readonly number: number
  readonly served: Promise<Served | null>
  readonly refusals: Refusal[]
  users: number
}

export class InferenceServer {
  readonly #kernel: WebAssembly.Module
  /** By directory and provider. */
  readonly #models = new Map<string, Shared>()
  readonly #ports: MessagePort[] = []
  #lastNumber = 0

  constructor(kernel: WebAssembly.Module) {
    this.#kernel = kernel
  }

  /** Answers everything that comes through the port until the other side closes it. */
  serve(port: MessagePort): void {
    this.#ports.push(port)
    port.on('message', (request: InferenceRequest) => {
      void this.#answer(request).then((answer) => {
        const isScores = answer.kind === 'scores'
        port.postMessage(answer, isScores ? [answer.probability.buffer, answer.margin.buffer] : [])
      })
    })
  }

  /** Whoever waits hears of it by the end of its port; a run that is under way ends first. */
  close(): void {
    for (const port of this.#ports) port.close()
  }

  async #answer(request: InferenceRequest): Promise<InferenceAnswer> {
    const { id } = request
    try {
      switch (request.kind) {
        case 'open':
          return await this.#open(request)
        case 'run': {
          const { queue } = await this.#served(request.model)
          const { probability, margin } = await queue.run(request.rows, request.rowCount)
          return { id, kind: 'scores', probability: owned(probability), margin: owned(margin) }
        }
        case 'close':
          await this.#close(request.model)
          return { id, kind: 'closed' }
        default:
          return never(request)
      }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      return { id, kind: 'failed', message, code: isServiceError(error) ? error.code : null }
    }
  }

  async #open(request: Extract<InferenceRequest, { kind: 'open' }>): Promise<InferenceAnswer> {
    const key = `${request.provider} ${request.directory}`
    const shared = this.#models.get(key) ?? this.#load(request)
    this.#models.set(key, shared)
    shared.users++
    const { refusals } = shared
    try {
      const served = await shared.served
      if (served === null) return { id: request.id, kind: 'opened', opened: null, refusals }
      const { provider, model } = served.predictor
      const opened = { model: shared.number, provider, slots: model.slots }
      return { id: request.id, kind: 'opened', opened, refusals }
    } catch (error) {
      this.#models.delete(key)
      throw error
    }
  }

  #load({ directory, provider }: Extract<InferenceRequest, { kind: 'open' }>): Shared {
    const refusals: Refusal[] = []
    const served = loadGpuPredictor(directory, {
      kernel: this.#kernel,
      provider,
      onRefused: (by, reason) => refusals.push({ provider: by, reason }),
    }).then((predictor) => predictor && { predictor, queue: new InferenceQueue(predictor.model) })
    return { number: ++this.#lastNumber, served, refusals, users: 0 }
  }

  async #served(number: number): Promise<Served> {
    const shared = [...this.#models.values()].find((one) => one.number === number)
    const served = await shared?.served
    if (served === undefined || served === null) throw new Error(`model ${number} is not open`)
    return served
  }

  async #close(number: number): Promise<void> {
    for (const [key, shared] of this.#models) {
      if (shared.number !== number || --shared.users > 0) continue
      this.#models.delete(key)
      await (await shared.served)?.predictor.dispose()
    }
  }
}

/** The queue cuts out a part for each request, so the memory is its own. */
function owned(values: Float32Array): Float32Array<ArrayBuffer> {
  return values as Float32Array<ArrayBuffer>
}
