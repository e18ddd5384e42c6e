/**
 * A watcher's way to the GPU, which another thread owns. Rows are encoded here, in the watcher's thread, into
 * memory that is moved over: the one copy they make.
 */
import type { MessagePort } from 'node:worker_threads'
import { isServiceError, ServiceError } from '../core/errors.ts'
import type { ModelCard, ProviderChoice } from '../core/model.ts'
import type { LosablePredictor } from './fallback-predictor.ts'
import type { InferenceAnswer, InferenceRequest, OpenedOnGpu } from './inference-messages.ts'
import { RowEncoder } from './row-keys.ts'
import type { Scores } from './session.ts'

/** A device that has not answered by then is as good as lost; the CPU goes on with the rows. */
const RUN_MS_MAX = 30_000
/** Drivers start and make their kernels. */
const OPEN_MS_MAX = 120_000

/** Without its id. */
type Asked = InferenceRequest extends infer Each
  ? Each extends InferenceRequest
    ? Omit<Each, 'id'>
    : never
  : never

interface Waiting {
  resolve(answer: InferenceAnswer): void
  reject(error: Error): void
  readonly timer: NodeJS.Timeout
}

export class InferenceClient {
  readonly #port: MessagePort
  readonly #waiting = new Map<number, Waiting>()
  #lastId = 0
  #isClosed = false

  constructor(port: MessagePort) {
    this.#port = port
    port.on('message', (answer: InferenceAnswer) => this.#settle(answer))
    port.on('close', () => this.#fail())
    // A watcher does not live for its port.
    port.unref()
  }

  /**
   * Null: the CPU is as good, or is all there is. ServiceError PROVIDER_UNAVAILABLE where a GPU that must
   * serve cannot.
   */
  async open(
    directory: string,
    card: ModelCard,
    provider: ProviderChoice,
    onRefused: (provider: string, reason: string) => void,
  ): Promise<LosablePredictor | null> {
    try {
      const answer = await this.ask({ kind: 'open', directory, provider }, OPEN_MS_MAX)
      if (answer.kind !== 'opened') throw new Error(`${answer.kind} answers open`)
      for (const { provider, reason } of answer.refusals) onRefused(provider, reason)
      return answer.opened && new RemotePredictor(this, answer.opened, card.features.length)
    } catch (cause) {
      if (isServiceError(cause)) throw cause
      const reason = cause instanceof Error ? cause.message : String(cause)
      if (provider !== 'auto') {
        throw new ServiceError(
          'PROVIDER_UNAVAILABLE',
          `inference.provider \`${provider}\` cannot serve model ${card.name}: ${reason}; mend it or say \`auto\``,
          { cause },
        )
      }
      onRefused('gpu', reason)
      return null
    }
  }

  ask(
    request: Asked,
    msMax: number,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<InferenceAnswer> {
    if (this.#isClosed) return Promise.reject(ended())
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      const late = () => {
        this.#waiting.delete(id)
        reject(new Error(`the GPU gave no answer within ${msMax / 1_000} s`))
      }
      this.#waiting.set(id, { resolve, reject, timer: setTimeout(late, msMax) })
      this.#port.postMessage({ ...request, id }, transfer)
    })
  }

  close(): void {
    this.#port.close()
  }

  #settle(answer: InferenceAnswer): void {
    const waiting = this.#waiting.get(answer.id)
    if (waiting === undefined) return
    this.#waiting.delete(answer.id)
    clearTimeout(waiting.timer)
    if (answer.kind !== 'failed') waiting.resolve(answer)
    else if (answer.code === null) waiting.reject(new Error(answer.message))
    else waiting.reject(new ServiceError(answer.code, answer.message))
  }

  #fail(): void {
    this.#isClosed = true
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer)
      waiting.reject(ended())
    }
    this.#waiting.clear()
  }
}

function ended(): Error {
  return new Error('the inference thread has ended')
}

class RemotePredictor implements LosablePredictor {
  readonly provider: string
  readonly #client: InferenceClient
  readonly #model: number
  readonly #encoder: RowEncoder

  constructor(client: InferenceClient, opened: OpenedOnGpu, featureCount: number) {
    this.provider = opened.provider
    this.#client = client
    this.#model = opened.model
    this.#encoder = new RowEncoder(opened.slots, featureCount)
  }

  async predict(matrix: Float32Array, rowCount: number): Promise<Scores> {
    if (rowCount === 0) return { probability: new Float32Array(0), margin: new Float32Array(0) }
    const rows = this.#encoder.encode(matrix, rowCount)
    const request = { kind: 'run', model: this.#model, rows, rowCount } as const
    const answer = await this.#client.ask(request, RUN_MS_MAX, [rows.buffer])
    if (answer.kind !== 'scores') throw new Error(`bug: ${answer.kind} answers run`)
    return answer
  }

  async dispose(): Promise<void> {
    await this.#client.ask({ kind: 'close', model: this.#model }, RUN_MS_MAX)
  }
}
