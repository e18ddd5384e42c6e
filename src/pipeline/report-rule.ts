/**
 * Which probabilities are worth a record. A fleet of a million nodes is scored a million times a
 * minute, and nearly all of it says what was said before; `predictions.batches` holds all of it, and
 * this says what is told of by itself.
 */
import type { ModelRef } from '../core/assessment.ts'
import type { Policy } from '../core/policy.ts'
import { actingPointOf } from '../decide/acting-point.ts'

/** A watcher partition with at most so many nodes of a class tells of each at each grid time. */
export const DETAILED_NODES_MAX = 1_000
/** A smaller change of probability is none between grid times. */
const PROBABILITY_STEP = 0.05
/** Explanations cost a run of the model each: only for nodes from this share of the acting point on. */
const EXPLAIN_FROM_RATIO = 0.8
/** A node of which there is nothing new is told of once in so many intervals, each at a time of its own. */
const REFRESH_INTERVALS = 10

/** Of 2^32, by the golden ratio: multiples of it lie apart. */
const GOLDEN = 2_654_435_761

/** `assessment`: for the coordinator alone; `prediction`: for everybody. */
export type Worth = 'nothing' | 'assessment' | 'prediction'

export interface Scored {
  readonly index: number
  readonly probability: number
  readonly atMs: number
  readonly grid: boolean
}

export class ReportRule {
  /** Probabilities at which some policy does one thing on one side and another on the other. */
  #points: readonly number[] = []
  readonly #model: ModelRef
  readonly #intervalMs: number
  readonly #explainFrom: number
  /** By node index, as last told; NaN before. */
  #sent = new Float32Array(0)
  /** By node index: the turn in which it was last told of, cut to 16 bits. */
  #turn = new Uint16Array(0)
  /** By node index, as last explained; NaN before. */
  #explained = new Float32Array(0)

  constructor(model: ModelRef, policies: readonly Policy[], intervalMs: number) {
    this.#model = model
    this.#intervalMs = intervalMs
    this.#explainFrom = model.actingPoint * EXPLAIN_FROM_RATIO
    this.turn(policies)
  }

  /** Other policies from here on. */
  turn(policies: readonly Policy[]): void {
    const acting = policies.flatMap((policy) => {
      const point = actingPointOf(policy.actingPoint, this.#model)
      return point === null ? [] : [point, point * policy.hysteresisRatio]
    })
    this.#points = [...new Set([this.#model.actingPoint, ...acting])].sort((a, b) => a - b)
  }

  /** Some policy may act on it, or keep on acting. */
  mayAct(probability: number): boolean {
    return probability >= this.#points[0]
  }

  /** As last told; `undefined` before. */
  sent(index: number): number | undefined {
    const sent = this.#sent[index]
    return sent === undefined || Number.isNaN(sent) ? undefined : sent
  }

  /** The index of a node that has ended may serve another one from now on. */
  forget(index: number): void {
    if (index >= this.#sent.length) return
    this.#sent[index] = Number.NaN
    this.#explained[index] = Number.NaN
  }

  /** What is worth telling is remembered as told. */
  take(scored: Scored, nodeCount: number): Worth {
    const { index, probability } = scored
    if (index >= this.#sent.length) this.#grow(index)
    const turn = this.#turnOf(scored)
    const isDue = turn !== this.#turn[index]
    const worth = this.#judge(scored, this.#sent[index], isDue, nodeCount <= DETAILED_NODES_MAX)
    if (worth === 'nothing') return worth
    this.#sent[index] = probability
    this.#turn[index] = turn
    return worth
  }

  /**
   * Whether a probability that is told wants its reasons told anew. In a large fleet thousands may
   * stand at an alarm, and why has not changed where the probability has not.
   */
  explains({ index, probability }: Scored, nodeCount: number): boolean {
    if (probability < this.#explainFrom) {
      this.#explained[index] = Number.NaN
      return false
    }
    const before = this.#explained[index]
    const isNew = Number.isNaN(before) || Math.abs(probability - before) >= PROBABILITY_STEP
    if (!isNew && nodeCount > DETAILED_NODES_MAX) return false
    this.#explained[index] = probability
    return true
  }

  #judge({ probability, grid }: Scored, sent: number, isDue: boolean, detailed: boolean): Worth {
    const isFirst = Number.isNaN(sent)
    if (detailed && (grid || isFirst)) return 'prediction'
    // From the lowest point on each row may count towards a policy's persistence.
    if (grid && this.mayAct(probability)) return 'prediction'
    if (!isFirst) {
      const moved = Math.abs(probability - sent) >= PROBABILITY_STEP
      if (moved || this.#side(probability) !== this.#side(sent)) return 'prediction'
      return isDue && !detailed ? 'assessment' : 'nothing'
    }
    return this.mayAct(probability) ? 'prediction' : 'assessment'
  }

  /** How many of the points it has reached. */
  #side(probability: number): number {
    let side = 0
    while (side < this.#points.length && probability >= this.#points[side]) side++
    return side
  }

  /** Turns of different nodes begin at different times: their rows at a grid time come all at once. */
  #turnOf({ index, atMs }: Scored): number {
    const phase = (Math.imul(index, GOLDEN) >>> 0) / 2 ** 32
    return Math.floor(atMs / (REFRESH_INTERVALS * this.#intervalMs) + phase) & 0xffff
  }

  #grow(index: number): void {
    const size = Math.max(256, 2 ** Math.ceil(Math.log2(index + 1)))
    this.#sent = grown(this.#sent, size)
    this.#explained = grown(this.#explained, size)
    const turns = new Uint16Array(size)
    turns.set(this.#turn)
    this.#turn = turns
  }
}

function grown(values: Float32Array, size: number): Float32Array<ArrayBuffer> {
  const larger = new Float32Array(size).fill(Number.NaN)
  larger.set(values)
  return larger
}
