/**
 * Where watcher folds run: in this thread (tests, simulation), or in a worker thread that owns
 * the WASM memory and ONNX Runtime, whose `run` would otherwise block Kafka and HTTP.
 */
import { Worker, type MessagePort } from 'node:worker_threads'
import type { LogRecord, Output } from '../core/bus.ts'
import { type ErrorCode, ServiceError } from '../core/errors.ts'
import { DEFAULT_GUARD, type GuardFigures, type GuardRules } from '../core/guard.ts'
import type { ModelId } from '../core/ids.ts'
import type { DriftRules, PromotionRules } from '../core/model-life.ts'
import type { ModelCard, ProviderChoice } from '../core/model.ts'
import type { NodeClass } from '../core/node.ts'
import type { Policy } from '../core/policy.ts'
import type { Topology } from '../core/topics.ts'
import { InferenceClient } from '../predict/inference-client.ts'
import { startInference } from '../predict/inference-host.ts'
import { ModelLibrary } from '../predict/model-library.ts'
import { modelIdOf } from '../predict/model-store.ts'
import { readReference } from '../predict/reference.ts'
import {
  checkFeatures,
  loadPredictor,
  type Predictor,
  type PredictorOptions,
} from '../predict/session.ts'
import { Guards } from '../resilience/guard.ts'
import { NodeTable } from '../state/node-table.ts'
import { SpareBuffers } from './spare-buffers.ts'
import type { Fold } from './fold.ts'
import type { ModelSource } from './watcher-models.ts'
import { WatcherFold } from './watcher.ts'

/** Everything a watcher needs that can be sent to another thread. */
export interface WatcherSetup {
  readonly topology: Topology
  readonly kernel: WebAssembly.Module
  readonly nodeClasses: readonly NodeClass[]
  /** Node class → directory of its model. */
  readonly models: Readonly<Record<string, string>>
  readonly changeGapMs: number
  readonly changeDeviations?: number
  readonly policies: readonly Policy[]
  readonly nodesMax: number
  readonly source: string
  /** Where models that the log names are found; absent: such partitions cannot go on. */
  readonly modelStore?: {
    readonly directory: string
    readonly peers: readonly string[]
    readonly waitMs: number
  }
  /** How peers are asked for models; the defaults when absent. */
  readonly resilience?: GuardRules
  readonly drift?: DriftRules
  readonly promotion?: PromotionRules
  /** What serves the models; absent: the CPU. */
  readonly provider?: ProviderChoice
  /** To the thread that owns the GPU; absent: a GPU is used from the thread of the watchers. */
  readonly inferencePort?: MessagePort
}

export interface ServedModel {
  readonly card: ModelCard
  readonly provider: string
}

/** What happens to a host beside its folds. */
export type HostNote =
  | { readonly kind: 'device-lost'; readonly reason: string }
  | { readonly kind: 'guard'; readonly guard: GuardFigures }

export interface WatcherHost {
  readonly models: readonly ServedModel[]
  createFold(partition: number): Promise<Fold>
  close(): Promise<void>
}

/** Runs the folds in the calling thread. Fails as `loadPredictor` and `checkFeatures` do. */
export async function startLocalHost(
  setup: WatcherSetup,
  note: (note: HostNote) => void = () => undefined,
): Promise<WatcherHost> {
  const nodeClasses = new Map(setup.nodeClasses.map((nodeClass) => [nodeClass.name, nodeClass]))
  const predictors = new Map<string, Predictor>()
  const first = new Map<string, FirstModel>()
  const runtime = predictorOptions(setup, note)
  for (const [name, directory] of Object.entries(setup.models)) {
    const nodeClass = nodeClasses.get(name)
    if (nodeClass === undefined) {
      throw new ServiceError(
        'NODE_CLASS_UNKNOWN',
        `models.${name}: there is no node class \`${name}\`; known: ${[...nodeClasses.keys()].join(', ')}`,
      )
    }
    const predictor = await loadPredictor(directory, runtime)
    checkFeatures(predictor.card, new NodeTable(setup.kernel, nodeClass, { nodesMax: 16 }))
    predictors.set(name, predictor)
    const reference = await readReference(directory)
    first.set(name, { id: await modelIdOf(directory), reference })
  }
  const library = libraryOf(setup, runtime, note)
  const modelSource = library && { load: (id: ModelId) => library.load(id), first }
  return {
    models: [...predictors.values()].map(({ card, provider }) => ({ card, provider })),
    createFold: async (partition) =>
      new WatcherFold({
        ...setup,
        partition,
        nodeClasses,
        predictors,
        ...(modelSource === null ? {} : { modelSource }),
      }),
    close: async () => {
      for (const predictor of predictors.values()) await predictor.dispose()
      await library?.close()
      runtime.inference?.close()
    },
  }
}

type FirstModel = ModelSource['first'] extends ReadonlyMap<string, infer First> ? First : never

function libraryOf(
  { modelStore, resilience = DEFAULT_GUARD }: WatcherSetup,
  predictor: PredictorOptions,
  note: (note: HostNote) => void,
): ModelLibrary | null {
  if (modelStore === undefined) return null
  const { directory: storeDirectory, peers, waitMs } = modelStore
  const guards = new Guards(resilience, {
    random: () => Math.random(),
    nowMs: () => Date.now(),
    changed: (guard) => note({ kind: 'guard', guard }),
  })
  const callerOf = (target: string) => guards.of(target)
  return new ModelLibrary({ storeDirectory, peers, callerOf, waitMs, predictor })
}

/**
 * How models are loaded in a thread of watchers. A GPU that does not serve, or no longer, is told of on stderr
 * and by the provider of what is said.
 */
function predictorOptions(
  { kernel, provider, inferencePort }: WatcherSetup,
  note: (note: HostNote) => void,
): PredictorOptions {
  return {
    kernel,
    provider,
    explains: true,
    inference: inferencePort && new InferenceClient(inferencePort),
    onRefused: (refused, reason) => process.emitWarning(`${refused} does not serve: ${reason}`),
    onLost: (reason) => {
      process.emitWarning(reason)
      note({ kind: 'device-lost', reason })
    },
  }
}

/** Asked of the thread; every message is answered by one `ThreadAnswer` with the same id. */
export type ThreadRequest =
  | {
      readonly id: number
      readonly kind: 'open'
      readonly partition: number
      readonly fold: number
    }
  | {
      readonly id: number
      readonly kind: 'fold'
      readonly fold: number
      readonly record: LogRecord & { readonly value: Uint8Array<ArrayBuffer> | null }
    }
  | { readonly id: number; readonly kind: 'drop'; readonly fold: number }

export type ThreadAnswer =
  | {
      readonly id: number
      readonly ok: true
      readonly outputs: readonly Output[]
      readonly stats: Readonly<Record<string, number>>
      /** Of the record that was folded: its memory goes back to whoever lent it. */
      readonly value: Uint8Array<ArrayBuffer> | null
    }
  | {
      readonly id: number
      readonly ok: false
      readonly message: string
      readonly code: ErrorCode | null
    }

/** Said without being asked. */
export interface ThreadNote {
  readonly note: HostNote
}

/** The first message of the thread. */
export type ThreadGreeting =
  | { readonly ok: true; readonly models: readonly ServedModel[] }
  | { readonly ok: false; readonly message: string; readonly code: ErrorCode | null }

/** Starts worker threads, which the watcher partitions are dealt out to. Fails as the local host does. */
export async function startThreadHost(
  setup: WatcherSetup,
  threads = 1,
  note: (note: HostNote, thread: number) => void = () => undefined,
): Promise<WatcherHost> {
  const inference = startInference(setup.provider ?? 'cpu', setup.kernel)
  const workers = Array.from({ length: threads }, () =>
    inference === null ? startWorker(setup) : startWorker(setup, inference.connect()),
  )
  const close = async () => {
    await Promise.all(workers.map((worker) => worker.terminate()))
    await inference?.close()
  }
  try {
    const greetings = await Promise.all(workers.map((worker) => greetingOf(worker)))
    const calls = workers.map((worker, thread) => new Calls(worker, (said) => note(said, thread)))
    let folds = 0
    return {
      models: greetings[0].models,
      createFold: async (partition) => {
        const fold = folds++
        const own = calls[partition % threads]
        await own.ask({ id: 0, kind: 'open', partition, fold })
        return new ThreadFold(own, fold)
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function greetingOf(worker: Worker): Promise<Extract<ThreadGreeting, { ok: true }>> {
  const greeting = await new Promise<ThreadGreeting>((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  if (!greeting.ok) throw failure(greeting)
  return greeting
}

/** From the build it is one file; from the sources it needs the loader that the main thread has. */
function startWorker(setup: WatcherSetup, inferencePort?: MessagePort): Worker {
  const workerData = inferencePort === undefined ? setup : { ...setup, inferencePort }
  const options = { workerData, transferList: inferencePort === undefined ? [] : [inferencePort] }
  if (!import.meta.url.endsWith('.ts')) {
    return new Worker(new URL('./watcher-thread.js', import.meta.url), options)
  }
  const loader = import.meta.resolve('tsx/esm/api')
  const entry = new URL('./watcher-thread.ts', import.meta.url).href
  const start = `import('${loader}').then((tsx) => (tsx.register(), import('${entry}')))`
  return new Worker(start, { eval: true, ...options })
}

function failure(answer: { readonly message: string; readonly code: ErrorCode | null }): Error {
  return answer.code === null
    ? new Error(answer.message)
    : new ServiceError(answer.code, answer.message)
}

type Answered = Extract<ThreadAnswer, { ok: true }>

class Calls {
  readonly spares = new SpareBuffers()
  readonly #worker: Worker
  readonly #waiting = new Map<
    number,
    { resolve(answer: Answered): void; reject(error: Error): void }
  >()
  #lastId = 0
  #ended: Error | null = null

  constructor(worker: Worker, note: (note: HostNote) => void) {
    this.#worker = worker
    worker.on('message', (said: ThreadAnswer | ThreadNote) => {
      if ('note' in said) note(said.note)
      else this.#settle(said)
    })
    worker.on('error', (error) => this.#fail(error))
    worker.on('exit', () => this.#fail(new Error('the watcher thread has ended')))
  }

  ask(request: ThreadRequest, transfer: readonly ArrayBuffer[] = []): Promise<Answered> {
    if (this.#ended !== null) return Promise.reject(this.#ended)
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#worker.postMessage({ ...request, id }, transfer)
    })
  }

  #settle(answer: ThreadAnswer): void {
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if (answer.ok) waiting?.resolve(answer)
    else waiting?.reject(failure(answer))
  }

  #fail(error: unknown): void {
    this.#ended ??= error instanceof Error ? error : new Error(String(error))
    for (const waiting of this.#waiting.values()) waiting.reject(this.#ended)
    this.#waiting.clear()
  }
}

/**
 * A fold in the thread. The record's value is copied once, out of the client's buffer into one that is
 * moved to the thread, and comes back with the answer to be used again.
 */
class ThreadFold implements Fold {
  readonly #calls: Calls
  readonly #fold: number
  #stats: Readonly<Record<string, number>> = {}

  constructor(calls: Calls, fold: number) {
    this.#calls = calls
    this.#fold = fold
  }

  async fold(record: LogRecord): Promise<readonly Output[]> {
    const value = record.value === null ? null : this.#calls.spares.copyOf(record.value)
    const key = record.key === null ? null : Uint8Array.from(record.key)
    const {
      outputs,
      stats,
      value: spare,
    } = await this.#calls.ask(
      { id: 0, kind: 'fold', fold: this.#fold, record: { ...record, key, value } },
      value === null ? [] : [value.buffer],
    )
    if (spare !== null) this.#calls.spares.give(spare.buffer)
    this.#stats = stats
    return outputs
  }

  /** All are on their way before the first answer is back: the thread takes them in order. */
  async foldAll(records: readonly LogRecord[]): Promise<readonly (readonly Output[])[]> {
    return Promise.all(records.map((record) => this.fold(record)))
  }

  stats(): Readonly<Record<string, number>> {
    return this.#stats
  }

  async dispose(): Promise<void> {
    await this.#calls.ask({ id: 0, kind: 'drop', fold: this.#fold })
  }
}
