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
/** A node of which there is nothing new is told of once in so many grid times, each in its turn. */
const REFRESH_GRID_TIMES = 10

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
  readonly #points: readonly number[]
  readonly #intervalMs: number
  /** By node index, as last told; NaN before. */
  #sent = new Float32Array(0)

  constructor(model: ModelRef, policies: readonly Policy[], intervalMs: number) {
    const acting = policies.flatMap((policy) => {
      const point = actingPointOf(policy.actingPoint, model)
      return point === null ? [] : [point, point * policy.hysteresisRatio]
    })
    this.#points = [...new Set([model.actingPoint, ...acting])].sort((a, b) => a - b)
    this.#intervalMs = intervalMs
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
    if (index < this.#sent.length) this.#sent[index] = Number.NaN
  }

  /** What is worth telling is remembered as told. */
  take(scored: Scored, nodeCount: number): Worth {
    if (scored.index >= this.#sent.length) this.#grow(scored.index)
    const worth = this.#judge(scored, this.#sent[scored.index], nodeCount <= DETAILED_NODES_MAX)
    if (worth !== 'nothing') this.#sent[scored.index] = scored.probability
    return worth
  }

  #judge({ index, probability, atMs, grid }: Scored, sent: number, detailed: boolean): Worth {
    const isFirst = Number.isNaN(sent)
    if (detailed && (grid || isFirst)) return 'prediction'
    // From the lowest point on each row may count towards a policy's persistence.
    if (grid && this.mayAct(probability)) return 'prediction'
    if (!isFirst) {
      const moved = Math.abs(probability - sent) >= PROBABILITY_STEP
      if (moved || this.#side(probability) !== this.#side(sent)) return 'prediction'
      return grid && this.#isDue(index, atMs) ? 'assessment' : 'nothing'
    }
    return this.mayAct(probability) ? 'prediction' : 'assessment'
  }

  /** How many of the points it has reached. */
  #side(probability: number): number {
    let side = 0
    while (side < this.#points.length && probability >= this.#points[side]) side++
    return side
  }

  #isDue(index: number, atMs: number): boolean {
    return (Math.floor(atMs / this.#intervalMs) + index) % REFRESH_GRID_TIMES === 0
  }

  #grow(index: number): void {
    const grown = new Float32Array(Math.max(256, 2 ** Math.ceil(Math.log2(index + 1)))).fill(
      Number.NaN,
    )
    grown.set(this.#sent)
    this.#sent = grown
  }
}
