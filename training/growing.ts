/**
 * The trees of a model, grown over minutes or hours: one booster a member, as their mean. What has grown
 * is kept beside the model to be, so that a training that was interrupted can go on.
 */
import { mkdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { setImmediate as breathe } from 'node:timers/promises'
import { ServiceError } from '../src/core/errors.ts'
import { growBoost, type BoostProgress } from './boost.ts'
import type { BoostData, BoostParams } from './boost-params.ts'
import type { BoostStart, BoostState } from './boost-rounds.ts'
import { dropState, loadState, rowsDigest, saveState, trainingDigest } from './boost-state.ts'
import type { Booster } from './booster.ts'
import { meanOf } from './ensemble.ts'

/** Seeds of members lie so far apart that those of a next training are others. */
const SEED_STEP = 1_000_003
/** Saving takes up to this share of the time; more often than once a second nobody needs it. */
const SAVING_SHARE = 0.02
const SAVE_INTERVAL_MS_MIN = 1_000

export interface GrowOptions {
  readonly module: WebAssembly.Module
  /** What a member learns from; members may differ in their labels. */
  readonly dataOf: (member: number) => BoostData
  readonly params: BoostParams
  readonly members: number
  /** The model to be; the files of the growing state lie beside it. */
  readonly outDir: string
  /** Go on from the state that was kept; without any, begin. */
  readonly resume: boolean
  /** Trees to go on from, instead of none. */
  readonly before: Booster | null
  readonly signal?: AbortSignal
  readonly onProgress: (doneRatio: number, detail: string) => void
}

/**
 * Members differ by their seeds (in the rows and features that each tree draws, and in rounding) and by what
 * `dataOf` gives them.
 * ServiceError INTERRUPTED, after what has grown was saved; HISTORY_INVALID when the state that was kept
 * is of another training.
 */
export async function growMembers(options: GrowOptions): Promise<Booster> {
  await mkdir(dirname(resolve(options.outDir)), { recursive: true })
  const grown: Booster[] = []
  while (grown.length < options.members) grown.push(await growMember(options, grown.length))
  return meanOf(grown)
}

/** Once the model is written, or when it is begun anew. */
export async function dropGrown(outDir: string, members: number): Promise<void> {
  for (let member = 0; member < members; member++) await dropState(stateFile(outDir, member))
}

function stateFile(outDir: string, member: number): string {
  const target = resolve(outDir)
  return join(dirname(target), `.${basename(target)}.growing-${member}`)
}

async function growMember(options: GrowOptions, member: number): Promise<Booster> {
  const { module, before, resume, outDir, signal } = options
  const data = options.dataOf(member)
  const params = { ...options.params, seed: options.params.seed + member * SEED_STEP }
  const file = stateFile(outDir, member)
  const training = trainingDigest(rowsDigest(data), data, params, before === null ? [] : [before])
  const kept = resume ? await loadState(file, training) : null
  const growing = growBoost(module, data, params, startOf(kept, before))
  const saving = new Saving((state) => saveState(file, training, state))
  for (;;) {
    const step = growing.next()
    if (step.done === true) return step.value
    // A signal reaches a process only between turns of its event loop.
    await breathe()
    const isLast = step.value.trees === params.treesMax
    if (isLast || signal?.aborted === true) await saving.save(step.value)
    else await saving.saveIfDue(step.value)
    if (signal?.aborted === true) throw interrupted(step.value.trees)
    tell(options, member, step.value)
  }
}

function startOf(kept: BoostState | null, before: Booster | null): BoostStart {
  if (kept !== null) return { kind: 'resumed', state: kept }
  return before === null ? { kind: 'fresh' } : { kind: 'continued', boosters: [before] }
}

function interrupted(trees: number): ServiceError {
  return new ServiceError(
    'INTERRUPTED',
    `training was interrupted; no model was written. What has grown so far, ${trees} trees, is kept: the same command with --resume goes on from there`,
  )
}

function tell({ members, onProgress }: GrowOptions, member: number, step: BoostProgress): void {
  const which = members === 1 ? '' : `model ${member + 1} of ${members}: `
  const quality =
    step.validation === null ? '' : `, PR-AUC on validation ${step.validation.toFixed(4)}`
  const doneRatio = (member + step.trees / step.treesMax) / members
  onProgress(doneRatio, `${which}${step.trees} trees${quality}`)
}

class Saving {
  readonly #save: (state: BoostState) => Promise<void>
  #savedAtMs = performance.now()
  #tookMs = 0

  constructor(save: (state: BoostState) => Promise<void>) {
    this.#save = save
  }

  async saveIfDue(step: BoostProgress): Promise<void> {
    const waitMs = Math.max(SAVE_INTERVAL_MS_MIN, this.#tookMs / SAVING_SHARE)
    if (performance.now() - this.#savedAtMs >= waitMs) await this.save(step)
  }

  async save({ state }: BoostProgress): Promise<void> {
    const beganAtMs = performance.now()
    await this.#save(state())
    this.#savedAtMs = performance.now()
    this.#tookMs = this.#savedAtMs - beganAtMs
  }
}
