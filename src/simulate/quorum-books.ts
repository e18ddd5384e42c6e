/**
 * What needs a majority, held against commands: a pool whose network is split so that no side goes on does
 * nothing, and where votes are asked for, no more nodes are fenced at once than may be without one. Both
 * are known from journal and commands alone.
 */
import type { Command, JournalEntry } from '../core/command.ts'
import type { CommandId, IncidentId, NodeId, PoolId } from '../core/ids.ts'
import type { VoteRules } from '../core/vote.ts'

/** As the journal says that a pool may only advise. */
const NO_SIDE = 'no side goes on'
const FENCES = 'fences'

interface Fence {
  readonly commandId: CommandId
  readonly incidentId: IncidentId | null
}

export class QuorumBooks {
  /** Pools of which no side goes on. */
  readonly #split = new Set<PoolId>()
  /** Until when more nodes may be fenced, as was voted. */
  readonly #approvedUntilMs = new Map<PoolId, number>()
  /** Pool → nodes that were fenced for an incident that is open. */
  readonly #fences = new Map<PoolId, Map<NodeId, Fence>>()

  takeJournal(
    { kind, pool, incidentId, condition, ballot }: JournalEntry,
    votes: VoteRules | null,
    nowMs: number,
  ): void {
    if (condition?.name === 'split-brain') {
      const isHeld = condition.state === 'standing' && condition.summary.includes(NO_SIDE)
      if (isHeld) this.#split.add(pool)
      else this.#split.delete(pool)
    }
    if (ballot?.state === 'approved' && ballot.subject === FENCES && votes !== null) {
      this.#approvedUntilMs.set(pool, nowMs + votes.validMs)
    }
    if (kind === 'incident-closed') this.#forget(pool, (fence) => fence.incidentId === incidentId)
  }

  /** A fence that came to nothing, or was withdrawn. */
  undone(pool: PoolId, commandId: CommandId): void {
    this.#forget(pool, (fence) => fence.commandId === commandId)
  }

  /** A node that has left is fenced no longer. */
  left(node: NodeId): void {
    for (const fences of this.#fences.values()) fences.delete(node)
  }

  /** Why it may not be sent; null where it may. It only undoes: not to be asked. */
  forbids(
    { action, pool, node, commandId, incidentId }: Command,
    votes: VoteRules | null,
    nowMs: number,
  ): string | null {
    if (this.#split.has(pool)) return 'is for a pool no side of which goes on'
    if (action !== 'fence' || votes === null) return null
    const fences = this.#fences.get(pool) ?? new Map<NodeId, Fence>()
    this.#fences.set(pool, fences)
    fences.delete(node)
    const others = fences.size
    fences.set(node, { commandId, incidentId })
    if (others < votes.fenceNodesMax || nowMs < (this.#approvedUntilMs.get(pool) ?? 0)) return null
    return `fences one node more beside ${others}, and nobody has voted for it`
  }

  #forget(pool: PoolId, isIt: (fence: Fence) => boolean): void {
    const fences = this.#fences.get(pool)
    for (const [node, fence] of fences ?? []) if (isIt(fence)) fences?.delete(node)
  }
}
