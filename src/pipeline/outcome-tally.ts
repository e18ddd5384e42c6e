/**
 * What became of the nodes that were scored: for each, the rows of about the last horizon wait until
 * the node has failed or has lived through it. Where a horizon has more grid times than slots, rows
 * are taken together in blocks: then a node's highest probability in a block, and its last, are kept.
 *
 * A failure is known at once, a quiet row only when its horizon is over. Told as they become known, the
 * failures of a young trial would stand alone, and a model that always alarms would look best: so a
 * failure, and the rows before it, wait for the end of their horizon as well.
 *
 * Where work was moved off a node in time, and no failure came, its rows count less or nothing. A failure that
 * came all the same is known, and counts.
 */
import type { MovedNodes } from './moved-nodes.ts'
import { type OutcomeCounts, scoreBin, type ScoredFailure } from '../core/model-life.ts'

/** Nodes of a class in a partition that are followed; the others are scored all the same. */
export const FOLLOWED_NODES_MAX = 16_384
const BLOCKS_PER_HORIZON_MAX = 32
const NODES_AT_FIRST = 256

/** A failure is told with its pair; a row before it with its squared errors, of each model. */
type Waiting =
  | { readonly dueMs: number; readonly failure: ScoredFailure }
  | { readonly dueMs: number; readonly errors: readonly number[] }

/** Beyond it the oldest are told early. */
const WAITING_MAX = 65_536

/** Of one model, by slot. */
interface Scores {
  highest: Float32Array
  last: Float32Array
  /** By node: the highest of the quiet window that is open. */
  quiet: Float32Array
}

export class OutcomeTally {
  readonly #horizonMs: number
  readonly #blockMs: number
  readonly #blocksPerHorizon: number
  readonly #slots: number
  readonly #actingPoint: number
  readonly #models: readonly Scores[]
  readonly #moved: MovedNodes
  readonly #movedWeight: number
  /** By slot: time of the last row, whole seconds; 0: empty. */
  #at: Uint32Array = new Uint32Array(0)
  /** By node: number of the open quiet window; -1: none. */
  #window: Int32Array = new Int32Array(0)
  /** By node: what the open quiet window counts, 0..1. */
  #windowWeight: Float32Array = new Float32Array(0)
  #counts = emptyCounts()
  #waiting: Waiting[] = []

  /** `paired`: a challenger is scored too. */
  constructor(options: {
    readonly horizonMs: number
    readonly intervalMs: number
    readonly actingPoint: number
    readonly paired: boolean
    readonly moved: MovedNodes
    /** Of rows that came to nothing while work was moved off the node, 0..1. */
    readonly movedWeight: number
  }) {
    const { horizonMs, intervalMs } = options
    this.#moved = options.moved
    this.#movedWeight = options.movedWeight
    this.#horizonMs = horizonMs
    this.#actingPoint = options.actingPoint
    this.#blockMs = Math.max(intervalMs, Math.ceil(horizonMs / BLOCKS_PER_HORIZON_MAX))
    this.#blocksPerHorizon = Math.ceil(horizonMs / this.#blockMs)
    this.#slots = this.#blocksPerHorizon + 2
    const empty = () => new Float32Array(0)
    this.#models = Array.from({ length: options.paired ? 2 : 1 }, () => ({
      highest: empty(),
      last: empty(),
      quiet: empty(),
    }))
  }

  /** A grid row of a node, later than those before. `probabilities`: of the champion, of the challenger. */
  note(index: number, atMs: number, champion: number, challenger: number): void {
    if (index >= FOLLOWED_NODES_MAX) return
    if (index >= this.#window.length) this.#grow(index)
    const block = Math.floor(atMs / this.#blockMs)
    const slot = index * this.#slots + (block % this.#slots)
    const known = this.#at[slot] !== 0 && this.#blockOf(slot) === block
    // A slot comes round when its horizon is over: what is in it has been lived through.
    if (!known && this.#at[slot] !== 0) this.#liveThrough(index, slot)
    this.#at[slot] = Math.floor(atMs / 1_000)
    for (const [model, { highest, last }] of this.#models.entries()) {
      const probability = model === 0 ? champion : challenger
      highest[slot] = known ? Math.max(highest[slot], probability) : probability
      last[slot] = probability
    }
  }

  /** The node failed at `atMs`. Rows at or after it, made before that was known, count for nothing. */
  failed(index: number, atMs: number): void {
    const highest = this.#models.map(() => -1)
    let firstOverAtMs = Number.POSITIVE_INFINITY
    this.#each(index, (slot) => {
      const rowAtMs = this.#at[slot] * 1_000
      if (rowAtMs >= atMs) return
      if (rowAtMs + this.#horizonMs < atMs) {
        this.#liveThrough(index, slot)
        return
      }
      for (const [model, scores] of this.#models.entries()) {
        highest[model] = Math.max(highest[model], scores.highest[slot])
      }
      if (this.#models[0].highest[slot] >= this.#actingPoint) {
        firstOverAtMs = Math.min(firstOverAtMs, rowAtMs)
      }
      const errors = this.#models.map(({ last }) => (last[slot] - 1) ** 2)
      this.#waiting.push({ dueMs: rowAtMs + this.#blockMs + this.#horizonMs, errors })
    })
    this.#clear(index)
    if (highest[0] < 0) this.#counts.unscoredFailureCount++
    else {
      const failure: ScoredFailure = {
        champion: highest[0],
        challenger: highest[1] ?? null,
        leadMs: Number.isFinite(firstOverAtMs) ? atMs - firstOverAtMs : null,
      }
      this.#waiting.push({ dueMs: atMs + this.#blockMs + this.#horizonMs, failure })
    }
  }

  /** What becomes of the node is not known, or nobody's doing: rows that wait are dropped. */
  uncertain(index: number): void {
    this.#clear(index)
  }

  /** What may be told by `nowMs`, since it was last asked; null where nothing is. */
  take(nowMs: number): OutcomeCounts | null {
    this.#tellDue(nowMs)
    const counts = this.#counts
    const { rowCount, failures, unscoredFailureCount, movedRowCount } = counts
    if (rowCount + failures.length + unscoredFailureCount + movedRowCount === 0) return null
    this.#counts = emptyCounts()
    return counts
  }

  /** A whole horizon has passed after these rows. */
  #liveThrough(index: number, slot: number): void {
    const weight = this.#weightOf(index, slot)
    if (weight === 0) return
    const window = Math.floor(this.#blockOf(slot) / this.#blocksPerHorizon)
    if (this.#window[index] !== window) this.#closeWindow(index)
    const isOpen = this.#window[index] === window
    for (const { quiet, highest } of this.#models) {
      quiet[index] = isOpen ? Math.max(quiet[index], highest[slot]) : highest[slot]
    }
    this.#windowWeight[index] = isOpen ? Math.min(this.#windowWeight[index], weight) : weight
    this.#window[index] = window
    this.#counts.exposureMs += weight * this.#blockMs
    this.#addErrors(
      this.#models.map(({ last }) => last[slot] ** 2),
      weight,
    )
  }

  #weightOf(index: number, slot: number): number {
    const atMs = this.#at[slot] * 1_000
    if (!this.#moved.touches(index, atMs, atMs + this.#horizonMs)) return 1
    this.#counts.movedRowCount++
    return this.#movedWeight
  }

  #addErrors([champion, challenger = 0]: readonly number[], weight = 1): void {
    const { squaredErrors } = this.#counts
    this.#counts.rowCount += weight
    squaredErrors.champion += weight * champion
    squaredErrors.challenger += weight * challenger
  }

  #tellDue(nowMs: number): void {
    const over = this.#waiting.length - WAITING_MAX
    const isDue = ({ dueMs }: Waiting, i: number): boolean => dueMs <= nowMs || i < over
    for (const [i, waiting] of this.#waiting.entries()) {
      if (!isDue(waiting, i)) continue
      if ('errors' in waiting) this.#addErrors(waiting.errors)
      else this.#counts.failures.push(waiting.failure)
    }
    this.#waiting = this.#waiting.filter((waiting, i) => !isDue(waiting, i))
  }

  #closeWindow(index: number): void {
    if (this.#window[index] < 0) return
    this.#window[index] = -1
    const { quiet } = this.#counts
    for (const [model, scores] of this.#models.entries()) {
      const counts = model === 0 ? quiet.champion : quiet.challenger
      const bin = scoreBin(scores.quiet[index])
      counts[bin] = (counts[bin] ?? 0) + this.#windowWeight[index]
    }
  }

  #clear(index: number): void {
    if (index >= this.#window.length) return
    this.#closeWindow(index)
    this.#at.fill(0, index * this.#slots, (index + 1) * this.#slots)
  }

  /** The node's slots that hold rows, oldest first. */
  #each(index: number, visit: (slot: number) => void): void {
    if (index >= this.#window.length) return
    const from = index * this.#slots
    let oldest = 0
    for (let i = 1; i < this.#slots; i++) {
      const [at, than] = [this.#at[from + i], this.#at[from + oldest]]
      if (at !== 0 && (than === 0 || at < than)) oldest = i
    }
    for (let i = 0; i < this.#slots; i++) {
      const slot = from + ((oldest + i) % this.#slots)
      if (this.#at[slot] !== 0) visit(slot)
    }
  }

  #blockOf(slot: number): number {
    return Math.floor((this.#at[slot] * 1_000) / this.#blockMs)
  }

  #grow(index: number): void {
    const nodes = Math.max(NODES_AT_FIRST, 2 ** Math.ceil(Math.log2(index + 1)))
    const slots = nodes * this.#slots
    const grown = (from: Float32Array, length: number) => {
      const to = new Float32Array(length)
      to.set(from)
      return to
    }
    const at = new Uint32Array(slots)
    at.set(this.#at)
    this.#at = at
    const window = new Int32Array(nodes).fill(-1)
    window.set(this.#window)
    this.#window = window
    this.#windowWeight = grown(this.#windowWeight, nodes)
    for (const scores of this.#models) {
      scores.highest = grown(scores.highest, slots)
      scores.last = grown(scores.last, slots)
      scores.quiet = grown(scores.quiet, nodes)
    }
  }
}

function emptyCounts() {
  return {
    exposureMs: 0,
    quiet: { champion: {} as Record<number, number>, challenger: {} as Record<number, number> },
    failures: [] as ScoredFailure[],
    unscoredFailureCount: 0,
    rowCount: 0,
    movedRowCount: 0,
    squaredErrors: { champion: 0, challenger: 0 },
  }
}
