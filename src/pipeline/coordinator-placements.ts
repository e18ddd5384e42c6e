/**
 * Where executors say that workloads are. What was changed on both sides of a split network is found by its
 * versions, resolved, and told.
 */
import type { NodeId, PoolId } from '../core/ids.ts'
import type { Policy } from '../core/policy.ts'
import { DEFAULT_MERGE, type MergePolicy } from '../core/split-brain.ts'
import type { Placement } from '../core/workload.ts'
import { mergePlacement } from '../decide/placement-merge.ts'
import { undoneBy } from '../recover/step.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState } from './coordinator-state.ts'

export class PlacementDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #policyFor: (pool: PoolId) => Policy
  /** Whether the node was on the side that went on when the network of its pool was split last. */
  readonly #wentOn: (pool: PoolId, node: NodeId) => boolean
  /** The node has another placement of the workload now; `inConflict`: that was changed on both sides. */
  readonly #changed: (node: NodeId, placement: Placement, inConflict: boolean) => void
  #staleCount = 0
  #conflictCount = 0

  constructor(
    state: CoordinatorState,
    outbox: Outbox,
    policyFor: (pool: PoolId) => Policy,
    wentOn: (pool: PoolId, node: NodeId) => boolean,
    changed: (node: NodeId, placement: Placement, inConflict: boolean) => void,
  ) {
    this.#state = state
    this.#outbox = outbox
    this.#policyFor = policyFor
    this.#wentOn = wentOn
    this.#changed = changed
  }

  stats(): Readonly<Record<string, number>> {
    return {
      stalePlacementCount: this.#staleCount,
      placementConflictCount: this.#conflictCount,
    }
  }

  take(said: Placement): void {
    const { ledger } = this.#state
    const before = ledger.get(said.workload)?.node ?? null
    const placement = this.#merge(said)
    if (placement === null) return
    const { workload, pool: poolId } = placement
    const pool = this.#state.pool(poolId)
    // Nothing moves it now, so a reservation left from an earlier move is over.
    if (!pool.flightOf.has(workload)) ledger.unreserve(workload)
    ledger.place(placement)
    if (before !== null && before !== placement.node) this.#changed(before, placement, false)
    if (placement.node !== null) this.#changed(placement.node, placement, false)
    const node = placement.node === null ? undefined : this.#state.nodes.get(placement.node)
    const steps = node?.incident?.steps
    for (const stepId of [`migrate:${workload}`, `recover:${workload}`]) {
      const step = steps?.get(stepId)
      const undone = step === undefined ? null : undoneBy(step, 'undone')
      if (undone !== null) steps?.set(stepId, undone)
    }
    pool.woken.add('capacity')
    pool.dirty = true
    if (node === undefined) return
    this.#state.stir(node, [])
    this.#state.suspects.add(node)
  }

  /** What holds of the workload from now on; null where it is older than what is known. */
  #merge(said: Placement): Placement | null {
    const { pool, workload } = said
    const policy = this.#policyFor(pool).splitBrain?.merge ?? DEFAULT_MERGE
    const known = this.#state.ledger.get(workload)
    const merge = mergePlacement(known, said, policy, (node) => this.#wentOn(pool, node))
    if (merge.kind === 'stale') {
      this.#staleCount++
      return null
    }
    if (merge.kind === 'conflict') this.#tell(merge.kept, merge.lost, policy)
    return merge.kept
  }

  /** The other copy may still run: only a person knows which one has the newer state. */
  #tell(kept: Placement, lost: Placement, policy: MergePolicy): void {
    this.#conflictCount++
    const { workload, pool } = kept
    for (const { node } of [kept, lost]) if (node !== null) this.#changed(node, kept, true)
    const [here, there] = [kept, lost].map(({ node }) => (node === null ? 'nowhere' : node))
    const message = `Workload ${workload} was placed twice while the network was split: ${here} is kept (${policy}), ${there} is not.`
    const evidence = [
      { what: 'kept', value: here, limit: null },
      { what: 'lost', value: there, limit: null },
      { what: 'versionsLost', value: JSON.stringify(lost.versions), limit: null },
    ]
    this.#outbox.journal({
      kind: 'merge',
      pool,
      node: lost.node,
      workload,
      reasons: [message],
      evidence,
    })
    this.#outbox.alert({
      kind: 'placement-conflict',
      pool,
      node: lost.node,
      cause: `workload:${workload}`,
      severity: 'error',
      message: `${message} If both run, stop one.`,
      incidentId: null,
      evidence,
    })
  }
}
