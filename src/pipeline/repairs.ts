/** Which nodes of a pool use its budgets, counted as they come and go: a large pool asks a thousand times a second. */
import type { NodeId } from '../core/ids.ts'
import type { Lane } from '../decide/admission.ts'

export class Repairs {
  /** Lane → node → commands in flight. */
  readonly #inFlight: Readonly<Record<Lane, Map<NodeId, number>>> = {
    preemptive: new Map(),
    recovery: new Map(),
    release: new Map(),
  }
  /** Nodes that a prediction keeps from work: they are in repair until they are let back or fail. */
  readonly #shielded = new Set<NodeId>()
  /** Of these, those without a preemptive command in flight. */
  #idleShieldedCount = 0

  begin(lane: Lane, node: NodeId): void {
    const inFlight = this.#inFlight[lane]
    const count = inFlight.get(node) ?? 0
    if (count === 0 && lane === 'preemptive' && this.#shielded.has(node)) this.#idleShieldedCount--
    inFlight.set(node, count + 1)
  }

  end(lane: Lane, node: NodeId): void {
    const inFlight = this.#inFlight[lane]
    const count = inFlight.get(node) ?? 0
    if (count > 1) inFlight.set(node, count - 1)
    else if (inFlight.delete(node) && lane === 'preemptive' && this.#shielded.has(node)) {
      this.#idleShieldedCount++
    }
  }

  shield(node: NodeId): void {
    if (this.#shielded.has(node)) return
    this.#shielded.add(node)
    if (!this.#inFlight.preemptive.has(node)) this.#idleShieldedCount++
  }

  /** Whether it was shielded. */
  unshield(node: NodeId): boolean {
    if (!this.#shielded.delete(node)) return false
    if (!this.#inFlight.preemptive.has(node)) this.#idleShieldedCount--
    return true
  }

  count(lane: Lane): number {
    return this.#inFlight[lane].size + (lane === 'preemptive' ? this.#idleShieldedCount : 0)
  }

  has(lane: Lane, node: NodeId): boolean {
    if (this.#inFlight[lane].has(node)) return true
    return lane === 'preemptive' && this.#shielded.has(node)
  }
}
