/**
 * What is held against nodes. A penalty halves with time, so that a node earns its trust back by
 * behaving, and halves with each recovery of it that was verified. Only nodes with a penalty take memory.
 */
import type { NodeId } from '../core/ids.ts'

/** Nodes that something is held against; the oldest go first. */
const PENALISED_MAX = 20_000
/** A smaller penalty is forgotten. */
const FORGOTTEN = 0.001

interface Penalty {
  readonly amount: number
  readonly atMs: number
}

export class Reputation {
  readonly #halfLifeMs: number
  readonly #penalties = new Map<NodeId, Penalty>()

  constructor(halfLifeMs: number) {
    this.#halfLifeMs = halfLifeMs
  }

  get size(): number {
    return this.#penalties.size
  }

  /** 0..1; 1 of a node that nothing is held against. */
  of(node: NodeId, nowMs: number): number {
    return 1 - Math.min(1, this.#amount(node, nowMs))
  }

  punish(node: NodeId, amount: number, nowMs: number): void {
    const total = Math.min(1, this.#amount(node, nowMs) + amount)
    this.#penalties.delete(node)
    this.#penalties.set(node, { amount: total, atMs: nowMs })
    if (this.#penalties.size <= PENALISED_MAX) return
    const [oldest] = this.#penalties.keys()
    if (oldest !== undefined) this.#penalties.delete(oldest)
  }

  /** The node was recovered, and it was verified. */
  restore(node: NodeId, nowMs: number): void {
    const amount = this.#amount(node, nowMs) / 2
    if (this.#penalties.has(node)) this.#penalties.set(node, { amount, atMs: nowMs })
  }

  forget(node: NodeId): void {
    this.#penalties.delete(node)
  }

  /** Nodes with a penalty that is not forgotten yet. */
  penalised(nowMs: number): readonly NodeId[] {
    for (const node of this.#penalties.keys()) {
      if (this.#amount(node, nowMs) < FORGOTTEN) this.#penalties.delete(node)
    }
    return [...this.#penalties.keys()]
  }

  #amount(node: NodeId, nowMs: number): number {
    const penalty = this.#penalties.get(node)
    if (penalty === undefined) return 0
    return penalty.amount * 2 ** (-Math.max(0, nowMs - penalty.atMs) / this.#halfLifeMs)
  }
}
