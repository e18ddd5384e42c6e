/**
 * What follows from a network that is split for good: one side goes on and the others' nodes are paused or
 * fenced, or no side does and the pool only advises. Once the network is whole, nodes are let back at a
 * pace, so that what heals does not move as a herd.
 */
import type { Rail } from '../core/command.ts'
import type { ReachabilityReport } from '../core/evidence.ts'
import type { Fault } from '../core/fault.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import type { NetworkView } from '../core/network.ts'
import type { Policy } from '../core/policy.ts'
import type { RailFigures } from '../core/rail-figures.ts'
import type { SplitBrainRules } from '../core/split-brain.ts'
import { budgetNodesMax, type Held } from '../decide/admission.ts'
import { judgeSplit, type Lease, leaseAfter, type Verdict } from '../decide/split-brain.ts'
import type { CommandDesk } from './coordinator-commands.ts'
import { type IncidentDesk, whyOf } from './coordinator-incidents.ts'
import type { Outbox } from './coordinator-outbox.ts'
import { ResyncDesk } from './coordinator-resync.ts'
import type { CoordinatorState, PoolState } from './coordinator-state.ts'

const CAUSE = 'split-brain'

interface PoolSplit {
  /** Since when a verdict stands, or nodes wait to be let back. */
  sinceMs: number
  verdict: Verdict | null
  sides: NetworkView['sides']
  readonly sideOf: Map<NodeId, number>
  nodeCount: number
  lease: Lease | null
  /** Not on the side that goes on, or not let back yet. */
  readonly paused: Set<NodeId>
  /** When the next are let back; null while the network is split. */
  resumeAtMs: number | null
}

export class SplitBrainDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #commands: CommandDesk
  readonly #incidents: IncidentDesk
  readonly #policyFor: (pool: PoolState) => Policy
  /** What follows when it is whole again. */
  readonly resync: ResyncDesk
  readonly #splits = new Map<PoolId, PoolSplit>()
  /** Nodes of the side that went on last; kept until another one does. */
  readonly #wentOn = new Map<PoolId, ReadonlySet<NodeId>>()

  constructor(
    state: CoordinatorState,
    outbox: Outbox,
    commands: CommandDesk,
    incidents: IncidentDesk,
    policyFor: (pool: PoolState) => Policy,
  ) {
    this.#state = state
    this.#outbox = outbox
    this.#commands = commands
    this.#incidents = incidents
    this.#policyFor = policyFor
    this.resync = new ResyncDesk(state, outbox)
  }

  /** Why work on the node waits; null where it need not; undefined where no verdict stands. */
  holdOf(node: { readonly id: NodeId; readonly pool: PoolId }): Held | null | undefined {
    const split = this.#splits.get(node.pool)
    if (split === undefined) return undefined
    const { verdict, paused } = split
    const rail = 'no-quorum'
    if (verdict?.lives === null) {
      return { rail, reason: `${verdict.why}; this is advice`, lanes: 'preemptive and recovery' }
    }
    if (!paused.has(node.id)) return null
    const where = verdict === null ? 'waits to be let back after it' : 'is on the other side'
    const reason = `node ${node.id} ${where}: ${verdict?.why ?? 'the network was split'}`
    return { rail, reason, lanes: 'preemptive' }
  }

  wentOn(pool: PoolId, node: NodeId): boolean {
    return this.#wentOn.get(pool)?.has(node) === true
  }

  figures(pool: PoolId): Pick<RailFigures, 'hasQuorum' | 'pausedNodes' | 'resync'> {
    const split = this.#splits.get(pool)
    return {
      hasQuorum: split?.verdict?.lives !== null,
      pausedNodes: split?.paused.size ?? 0,
      resync: this.resync.figures(pool),
    }
  }

  /** A node is heard of, and with it its side. */
  hear({ node, pool: id }: ReachabilityReport): void {
    const split = this.#splits.get(id)
    const rules = this.#policyFor(this.#state.pool(id)).splitBrain
    if (split === undefined || rules?.policy !== 'lease-majority' || split.verdict === null) return
    const { sideOf, sides, nodeCount, sinceMs: stableAtMs } = split
    const sizes = sides.map(({ length }) => length)
    const of = { sideOf, sizes, nodeCount, stableAtMs }
    split.lease = leaseAfter(split.lease, node, of, rules.leaseWaitMs, this.#outbox.nowMs)
  }

  /** Once a second of the log's time. */
  follow(id: PoolId, view: NetworkView): void {
    const pool = this.#state.pool(id)
    const { splitBrain: rules } = this.#policyFor(pool)
    const split = this.#splits.get(id)
    const apart = () => split?.paused ?? view.sides.slice(view.hasMajority ? 1 : 0).flat()
    this.resync.follow(id, view, rules === null ? null : apart)
    if (rules === null) {
      // The policy was taken away meanwhile: nobody is kept from work by it.
      if (split !== undefined) this.#resume(pool, split, 'follows no policy any more', 0, Infinity)
      return
    }
    const { nowMs } = this.#outbox
    if (view.state === 'PARTITIONED' && nowMs - view.sidesSinceMs >= rules.stableAfterMs) {
      this.#judge(pool, split ?? this.#begin(id), view, rules)
    } else if (split !== undefined && view.state === 'NORMAL') {
      const nodesMax = budgetNodesMax(this.#policyFor(pool), pool.activeNodeCount)
      this.#resume(pool, split, 'is whole', rules.resumeEveryMs, nodesMax)
    }
  }

  #begin(id: PoolId): PoolSplit {
    const split: PoolSplit = {
      sinceMs: this.#outbox.nowMs,
      verdict: null,
      sides: [],
      sideOf: new Map(),
      nodeCount: 0,
      lease: null,
      paused: new Set(),
      resumeAtMs: null,
    }
    this.#splits.set(id, split)
    return split
  }

  #judge(pool: PoolState, split: PoolSplit, view: NetworkView, rules: SplitBrainRules): void {
    const before = split.verdict
    const { sides, nodeCount } = view
    if (before === null) {
      split.sinceMs = this.#outbox.nowMs
      split.resumeAtMs = null
    }
    split.nodeCount = nodeCount
    if (sides !== split.sides) setSides(split, sides)
    const leaseHolder = split.lease?.holder ?? null
    const verdict = judgeSplit(rules, sides, {
      nodeCount,
      oldest: oldestOf(pool, split.sideOf),
      leaseHolder,
    })
    const isNew = before === null || before.why !== verdict.why || before.lives !== verdict.lives
    split.verdict = verdict
    pool.noQuorum = verdict.lives === null ? verdict.why : null
    split.paused.clear()
    for (const [index, side] of sides.entries()) {
      if (index !== verdict.lives) for (const node of side) split.paused.add(node)
    }
    if (isNew) this.#announce(pool, split, verdict)
    if (isNew && verdict.lives !== null) this.#wentOn.set(pool.id, new Set(sides[verdict.lives]))
    if (rules.minority === 'fence' && verdict.lives !== null) this.#fence(split, verdict)
  }

  #announce(pool: PoolState, { paused, sinceMs }: PoolSplit, { lives, why }: Verdict): void {
    const advice = 'no side goes on, and what would be done is only advice'
    const then = lives === null ? advice : `${paused.size} nodes of other sides are paused`
    this.#tell(pool, `Pool ${pool.id}: ${why}; ${then}.`, sinceMs, true)
    const flights = [...pool.flights.values()].filter(({ lane, command: { node, target } }) => {
      if (lives === null) return true
      return (lane === 'preemptive' && paused.has(node)) || (target !== null && paused.has(target))
    })
    this.#commands.withdraw(`The network of pool ${pool.id} is split.`, flights)
    this.#wake(pool)
  }

  /** Also what has come to the side since, or was let back by a sign of life while it was silent. */
  #fence({ paused }: PoolSplit, { why }: Verdict): void {
    for (const id of paused) {
      const node = this.#state.nodes.get(id)
      const isFree = node?.incident === null || node?.incident.cause === 'predicted'
      if (node === undefined || !isFree || node.failedAtMs !== null) continue
      const fault: Fault = {
        detector: CAUSE,
        kind: 'network-partition',
        subject: id,
        node: id,
        pool: node.pool,
        atMs: this.#outbox.nowMs,
        severity: 'critical',
        confidenceRatio: 1,
        evidence: [{ what: 'split', value: why, limit: null }],
      }
      this.#incidents.raise(node, 'cut-off', fault, whyOf(node, 'cut-off'))
    }
  }

  /** The network has been whole for a while: some nodes now, the next ones later. */
  #resume(pool: PoolState, split: PoolSplit, why: string, everyMs: number, nodesMax: number): void {
    const { nowMs } = this.#outbox
    const wasSplit = split.verdict !== null
    split.verdict = null
    pool.noQuorum = null
    split.resumeAtMs ??= nowMs
    if (nowMs < split.resumeAtMs) return
    split.resumeAtMs = nowMs + everyMs
    let left = nodesMax
    for (const id of split.paused) {
      if (left-- === 0) break
      split.paused.delete(id)
      const incident = this.#state.nodes.get(id)?.incident
      if (incident?.cause !== 'cut-off') continue
      this.#incidents.close(incident, `The network of node ${id} ${why}.`, true)
    }
    this.#wake(pool)
    const whole = `The network of pool ${pool.id} ${why}`
    if (split.paused.size > 0) {
      const summary = `${whole}, and ${split.paused.size} nodes are still to be let back.`
      if (wasSplit) this.#journal(pool, summary, split.sinceMs, true)
      return
    }
    this.#splits.delete(pool.id)
    this.#tell(pool, `${whole}, and every node is let back.`, split.sinceMs, false)
  }

  #journal(pool: PoolState, summary: string, sinceMs: number, stands: boolean): void {
    this.#outbox.journal({
      kind: 'condition',
      pool: pool.id,
      reasons: [summary],
      condition: { name: 'split-brain', state: stands ? 'standing' : 'over', sinceMs, summary },
    })
  }

  #tell(pool: PoolState, summary: string, sinceMs: number, stands: boolean): void {
    this.#journal(pool, summary, sinceMs, stands)
    this.#outbox.alert({
      kind: 'split-brain',
      pool: pool.id,
      node: null,
      cause: CAUSE,
      severity: stands ? 'critical' : 'info',
      message: summary,
      incidentId: null,
      ...(stands ? {} : { resolved: true }),
    })
  }

  #wake(pool: PoolState): void {
    for (const rail of HELD_BY) pool.woken.add(rail)
    pool.dirty = true
  }
}

/** Rails that answer otherwise when a side is paused or let back. */
const HELD_BY: readonly Rail[] = ['no-quorum', 'shared-cause', 'capacity']

function setSides(split: PoolSplit, sides: NetworkView['sides']): void {
  split.sides = sides
  split.sideOf.clear()
  for (const [index, side] of sides.entries()) {
    for (const node of side) split.sideOf.set(node, index)
  }
}

/** The pool's nodes are in the order in which they came. */
function oldestOf({ nodes }: PoolState, sideOf: ReadonlyMap<NodeId, number>): NodeId | null {
  for (const node of nodes.keys()) if (sideOf.has(node)) return node
  return null
}
