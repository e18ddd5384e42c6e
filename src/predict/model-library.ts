/**
 * Models by id, loaded once. A model that a log names may not be here yet: it is waited for, in the
 * store (which machines may share) and at the peers, for a bounded time.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isServiceError, ServiceError } from '../core/errors.ts'
import type { ModelId } from '../core/ids.ts'
import type { ModelReference } from '../core/model.ts'
import type { CallerOf } from '../resilience/caller.ts'
import { fetchModel } from './model-fetch.ts'
import { ModelStore } from './model-store.ts'
import { readReference } from './reference.ts'
import { loadPredictor, type Predictor, type PredictorOptions } from './session.ts'

export interface LoadedModel {
  /** Null for one that is in no store. */
  readonly id: ModelId | null
  readonly predictor: Predictor
  /** Null: drift is not measured. */
  readonly reference: ModelReference | null
}

export interface ModelLibraryOptions {
  readonly storeDirectory: string
  /** Consoles of other machines. */
  readonly peers: readonly string[]
  /** Guards of the peers. */
  readonly callerOf: CallerOf
  /** A model is waited for this long. */
  readonly waitMs: number
  /** What serves them. */
  readonly predictor: PredictorOptions
}

const POLL_MS = 250
/** Folds keep what they use; beyond it the longest unused is loaded again when asked for. */
const LOADED_MAX = 8

export class ModelLibrary {
  readonly store: ModelStore
  readonly #options: ModelLibraryOptions
  readonly #loaded = new Map<ModelId, Promise<LoadedModel>>()

  constructor(options: ModelLibraryOptions) {
    this.#options = options
    this.store = new ModelStore(options.storeDirectory)
  }

  /**
   * The model, checked and ready to score. MODEL_MISSING: neither the store nor a peer had it in time.
   * MODEL_INVALID: it is damaged here and no peer has it whole.
   */
  async load(id: ModelId): Promise<LoadedModel> {
    const loading = this.#loaded.get(id) ?? this.#load(id)
    this.#loaded.delete(id)
    this.#loaded.set(id, loading)
    if (this.#loaded.size > LOADED_MAX) this.#loaded.delete([...this.#loaded.keys()][0])
    try {
      return await loading
    } catch (error) {
      this.#loaded.delete(id)
      throw error
    }
  }

  async #load(id: ModelId): Promise<LoadedModel> {
    const directory = await this.#find(id)
    const predictor = await loadPredictor(directory, this.#options.predictor)
    return { id, predictor, reference: await readReference(directory) }
  }

  async #find(id: ModelId): Promise<string> {
    const { peers, waitMs, callerOf } = this.#options
    const untilMs = performance.now() + waitMs
    for (;;) {
      const problem = await this.store.open(id).catch((error: unknown) => asTrouble(error))
      if (typeof problem === 'string') return problem
      const refused = peers.length === 0 ? null : await fetchModel(this.store, id, peers, callerOf)
      if (refused === null && peers.length > 0) continue
      if (problem.code === 'MODEL_INVALID') throw withPeers(problem, refused)
      if (performance.now() >= untilMs) throw withPeers(problem, refused)
      await sleep(POLL_MS)
    }
  }

  async close(): Promise<void> {
    const predictors = await Promise.allSettled(this.#loaded.values())
    for (const settled of predictors) {
      if (settled.status === 'fulfilled') await settled.value.predictor.dispose()
    }
    this.#loaded.clear()
  }
}

/** A store on a disk that fails for a while, such as one over a network, is waited for as a model is. */
function asTrouble(error: unknown): ServiceError {
  if (isServiceError(error)) return error
  if (!(error instanceof Error && 'errno' in error)) throw error
  const mend = 'check the disk or the network of model_store.directory'
  return new ServiceError('MODEL_MISSING', `the store cannot be read: ${error.message}; ${mend}`, {
    cause: error,
  })
}

function withPeers(problem: ServiceError, refused: string | null): ServiceError {
  if (refused === null) return problem
  return new ServiceError(problem.code, `${problem.message} (peers: ${refused})`, {
    cause: problem,
  })
}
