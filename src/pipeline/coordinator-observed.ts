/**
 * Incidents that are seen and not acted on: faults for which no plan exists yet are grouped by cause,
 * classified, journaled and told to people. They never lead to a command.
 */
import { CAUSE_NODES_MAX } from '../core/alert.ts'
import {
  type Evidence,
  type Fault,
  type FaultKind,
  SEVERITIES,
  type Severity,
} from '../core/fault.ts'
import { never } from '../core/errors.ts'
import type { IncidentId, NodeId, PoolId } from '../core/ids.ts'
import type { Policy } from '../core/policy.ts'
import type { Priority } from '../core/workload.ts'
import { type Classified, classify } from '../decide/classify.ts'
import { percent } from '../decide/explain.ts'
import {
  type Group,
  type GroupIdentity,
  IncidentGroups,
  nodesOf,
  nodesOfAll,
} from '../decide/incident-groups.ts'
import { type Attributes, type CausePolicy, SharedCauses } from '../decide/shared-cause.ts'
import type { Told } from '../detect/detector-set.ts'
import { heartbeat } from '../detect/heartbeat.ts'
import { peerSight } from '../detect/peer-sight.ts'
import { phiAccrual } from '../detect/phi-accrual.ts'
import { predictedFailure } from '../detect/predicted-failure.ts'
import { KindDesk } from './coordinator-kinds.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'

/** A cause that comes back within this is the same incident, ms. */
const SAME_INCIDENT_MS = 600_000
/** Ended incidents remembered, so that their identity lives on; the oldest go first. */
const ENDED_MAX = 1_000
/** Zones are held by their own count, and what is larger by its budget. */
const HELD_OTHERWISE: ReadonlySet<string> = new Set(['zone', 'region', 'pool'])
/** Nodes named in a sentence. */
const NAMED_MAX = 3
const EVIDENCE_MAX = 12
/** Nodes named in the evidence of one incident. */
const EVIDENCE_NODES_MAX = 256
/** From this severity on a group is an incident. */
const INCIDENT_FROM: Severity = 'error'
/** What they see alone is a node that may have gone. */
const SUSPICIONS: ReadonlySet<string> = new Set([heartbeat.name, phiAccrual.name, peerSight.name])

interface Observed {
  readonly id: IncidentId
  /** Whose it was when it was opened; null where it is of several. */
  readonly node: NodeId | null
  severity: Severity
  kinds: readonly FaultKind[]
  /** Nodes that a shared cause was told to explain. */
  readonly explained: Set<NodeId>
}

/** Of one pool. */
interface PoolGroups {
  readonly causes: SharedCauses
  readonly groups: IncidentGroups
  readonly open: Map<GroupIdentity, Observed>
  readonly ended: Map<GroupIdentity, { readonly id: IncidentId; readonly atMs: number }>
}

export class ObservedDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #policyFor: (pool: PoolId) => Policy
  readonly #kinds: KindDesk
  readonly #pools = new Map<PoolId, PoolGroups>()
  #openedCount = 0
  #mergedCount = 0

  constructor(state: CoordinatorState, outbox: Outbox, policyFor: (pool: PoolId) => Policy) {
    this.#state = state
    this.#outbox = outbox
    this.#policyFor = policyFor
    this.#kinds = new KindDesk(outbox)
  }

  stats(): Readonly<Record<string, number>> {
    let openCount = 0
    for (const { open } of this.#pools.values()) openCount += open.size
    return {
      openObservedCount: openCount,
      observedCount: this.#openedCount,
      mergedIncidentCount: this.#mergedCount,
    }
  }

  attributesOf(pool: PoolId, node: NodeId): Attributes {
    return this.#pool(pool).causes.attributesOf(node)
  }

  setMember(pool: PoolId, node: NodeId, attributes: Attributes): void {
    this.#pool(pool).causes.setMember(node, attributes)
  }

  removeMember(pool: PoolId, node: NodeId): void {
    this.#pools.get(pool)?.causes.removeMember(node)
  }

  /** Why preemptive work on the node waits: it is ill with many others, of one cause. */
  sharedCauseOf(pool: PoolId, node: NodeId): string | null {
    const groups = this.#pools.get(pool)
    const cause = groups?.causes.causeOf(node, this.#causePolicy(pool)) ?? null
    if (cause === null || HELD_OTHERWISE.has(cause.dimension)) return null
    return `${cause.faultyCount} of ${cause.memberCount} nodes of ${cause.dimension} ${cause.value} are faulty at once`
  }

  take(pool: PoolId, told: Told): void {
    const groups = this.#pool(pool)
    const { fault } = told
    switch (told.state) {
      case 'stands':
        return
      case 'raised': {
        const policy = this.#causePolicy(pool)
        const { group, absorbed } = groups.groups.raise(fault, policy, this.#outbox.nowMs)
        for (const other of absorbed) this.#merge(pool, groups, other, group)
        this.#follow(pool, groups, group)
        this.#tellKind(pool, groups, group, fault)
        this.#yield(pool, groups, group)
        return this.#journalFault(pool, groups, group, fault)
      }
      case 'cleared': {
        const group = groups.groups.clear(fault)
        if (group !== null) this.#shrink(pool, groups, group, told.why)
        return
      }
      default:
        never(told)
    }
  }

  #follow(pool: PoolId, groups: PoolGroups, group: Group): void {
    const seen = this.#classify(pool, [...group.faults.values()])
    if (SEVERITIES.indexOf(seen.severity) < SEVERITIES.indexOf(INCIDENT_FROM)) return
    const open = groups.open.get(group.identity)
    if (open === undefined) {
      if (group.cause === null && this.#isPlanned(group)) return
      return this.#openIncident(pool, groups, group, seen)
    }
    if (group.cause !== null) this.#explain(pool, group, open)
    if (SEVERITIES.indexOf(seen.severity) <= SEVERITIES.indexOf(open.severity)) return
    open.severity = seen.severity
    this.#alert(pool, group, seen, open.id)
  }

  /** What was a suspicion of silence is silence by now: the incident that a plan answers goes on alone. */
  #yield(pool: PoolId, groups: PoolGroups, group: Group): void {
    const node = soleNode(group)
    const planned = node === null ? null : (this.#state.nodes.get(node)?.incident ?? null)
    if (planned === null || !groups.open.has(group.identity)) return
    for (const { detector } of group.faults.values()) if (!SUSPICIONS.has(detector)) return
    this.#close(pool, groups, group, `It goes on as incident ${planned.id}.`)
  }

  /** Of the incident that the group is, and of the one of its node that a plan answers. */
  #tellKind(pool: PoolId, groups: PoolGroups, group: Group, fault: Fault): void {
    const { node } = fault
    const open = groups.open.get(group.identity)
    const planned = node === null ? null : (this.#state.nodes.get(node)?.incident ?? null)
    if (open === undefined && planned === null) return
    const joined = this.#classify(pool, [fault]).kind
    if (open !== undefined) {
      const seen = this.#classify(pool, [...group.faults.values()])
      this.#kinds.tell(open, { pool, node: soleNode(group) }, seen, joined)
    }
    if (planned === null || !mayFell(fault)) return
    const own = [...group.faults.values()].filter((each) => each.node === node && mayFell(each))
    this.#kinds.tell(planned, { pool, node }, this.#classify(pool, own), joined)
  }

  /** A failure of a node is confirmed by an event, which names it. */
  confirm({ pool, id: node, incident }: NodeState, failureKind: string): void {
    if (incident !== null) this.#kinds.confirm(incident, { pool, node }, failureKind)
  }

  /** Alerts of nodes that the cause explains need not reach people one by one. */
  #explain(pool: PoolId, group: Group, { id, explained }: Observed): void {
    for (const node of nodesOf(group)) {
      if (explained.has(node)) continue
      explained.add(node)
      const reasons = [`Node ${node} is faulty for the same cause: ${group.identity}.`]
      const cause = group.identity
      this.#outbox.journal({ kind: 'fault', pool, incidentId: id, node, reasons, cause })
    }
  }

  /** One node whose trouble a plan answers already, or will. */
  #isPlanned(group: Group): boolean {
    const [node] = nodesOf(group)
    const known = node === undefined ? undefined : this.#state.nodes.get(node)
    // Of a node that is known to have failed nothing more need be told.
    if (known !== undefined && (known.incident !== null || known.failedAtMs !== null)) return true
    return [...group.faults.values()].every(({ detector }) => hasPlan(detector))
  }

  #openIncident(pool: PoolId, groups: PoolGroups, group: Group, seen: Classified): void {
    const { nowMs } = this.#outbox
    const ended = groups.ended.get(group.identity)
    const again = ended !== undefined && nowMs - ended.atMs <= SAME_INCIDENT_MS
    groups.ended.delete(group.identity)
    const id = again ? ended.id : this.#outbox.incidentId(pool)
    const explained = new Set(group.cause === null ? [] : nodesOf(group).slice(0, CAUSE_NODES_MAX))
    const node = soleNode(group)
    const { severity, kind } = seen
    groups.open.set(group.identity, { id, node, severity, kinds: [kind], explained })
    if (!again) this.#openedCount++
    this.#outbox.journal({
      kind: 'incident-opened',
      pool,
      incidentId: id,
      node: soleNode(group),
      reasons: [
        `${sentence(group, seen)}${again ? ' It is the incident of before.' : ''}`,
        `Nothing is done about it: no plan answers a fault of kind ${seen.kind} yet, so it is told to people.`,
      ],
      evidence: evidenceOf(group, seen),
      faultKind: seen.kind,
    })
    this.#alert(pool, group, seen, id)
  }

  #shrink(pool: PoolId, groups: PoolGroups, group: Group, why: string): void {
    if (group.faults.size > 0) return
    this.#close(pool, groups, group, `${capital(why)}.`)
  }

  #merge(pool: PoolId, groups: PoolGroups, from: Group, into: Group): void {
    if (!groups.open.has(from.identity)) return
    this.#mergedCount++
    const reason = `It is part of what ${into.identity} has in common, and goes on as that incident.`
    this.#close(pool, groups, from, reason)
  }

  #close(pool: PoolId, groups: PoolGroups, group: Group, reason: string): void {
    const open = groups.open.get(group.identity)
    if (open === undefined) return
    groups.open.delete(group.identity)
    groups.ended.set(group.identity, { id: open.id, atMs: this.#outbox.nowMs })
    if (groups.ended.size > ENDED_MAX) {
      const [oldest] = groups.ended.keys()
      if (oldest !== undefined) groups.ended.delete(oldest)
    }
    this.#outbox.journal({
      kind: 'incident-closed',
      pool,
      incidentId: open.id,
      node: open.node,
      reasons: [reason],
    })
  }

  #alert(pool: PoolId, group: Group, seen: Classified, incidentId: IncidentId): void {
    const { severity } = seen
    const message = sentence(group, seen)
    const { identity, cause } = group
    this.#outbox.alert({
      kind: 'fault',
      pool,
      node: soleNode(group),
      // A group of one node is that node's.
      ...(identity.startsWith('node:') ? {} : { cause: identity }),
      ...(cause === null ? {} : { nodes: nodesOf(group).slice(0, CAUSE_NODES_MAX) }),
      severity,
      message,
      incidentId,
    })
  }

  /** Silence and foretold failures are told by their own incidents. */
  #journalFault(pool: PoolId, groups: PoolGroups, group: Group, fault: Fault): void {
    if (hasPlan(fault.detector)) return
    const planned = fault.node === null ? null : this.#state.nodes.get(fault.node)?.incident
    this.#outbox.journal({
      kind: 'fault',
      pool,
      incidentId: groups.open.get(group.identity)?.id ?? planned?.id ?? null,
      node: fault.node,
      reasons: [`${fault.detector} sees ${fault.subject} with severity ${fault.severity}.`],
      evidence: fault.evidence.slice(0, EVIDENCE_MAX),
    })
  }

  #causePolicy(pool: PoolId): CausePolicy {
    const { activeNodeCount, failedNodes } = this.#state.pool(pool)
    const { sharedCauseRatio, sharedCauseNodesMin } = this.#policyFor(pool)
    return { sharedCauseRatio, sharedCauseNodesMin, nodeCount: activeNodeCount + failedNodes.size }
  }

  #classify(pool: PoolId, faults: readonly Fault[]): Classified {
    const nodes = nodesOfAll(faults)
    return classify(faults, {
      nodeCount: nodes.length,
      poolNodeCount: this.#state.pool(pool).activeNodeCount,
      workload: this.#mostUrgent(nodes),
    })
  }

  #mostUrgent(nodes: readonly NodeId[]): Priority | null {
    const { ledger } = this.#state
    let most: Priority | null = null
    for (const node of nodes) {
      for (const workload of ledger.workloadsOn(node)) {
        const priority = ledger.get(workload)?.priority ?? 'NORMAL'
        if (priority === 'CRITICAL') return priority
        most ??= priority
      }
    }
    return most
  }

  #pool(pool: PoolId): PoolGroups {
    let groups = this.#pools.get(pool)
    if (groups === undefined) {
      const causes = new SharedCauses()
      groups = { causes, groups: new IncidentGroups(causes), open: new Map(), ended: new Map() }
      this.#pools.set(pool, groups)
    }
    return groups
  }
}

function hasPlan(detector: string): boolean {
  return detector === heartbeat.name || detector === predictedFailure.name
}

/** What does not bring a node down says nothing of why it went. */
function mayFell({ kind }: Fault): boolean {
  return kind !== 'attack' && kind !== 'byzantine' && kind !== 'data-corruption'
}

function soleNode(group: Group): NodeId | null {
  const nodes = nodesOf(group)
  return nodes.length === 1 ? nodes[0] : null
}

function sentence(group: Group, { kind, priority, confidenceRatio }: Classified): string {
  const nodes = nodesOf(group)
  const named = nodes.slice(0, NAMED_MAX).join(', ')
  const more = nodes.length > NAMED_MAX ? ` and ${nodes.length - NAMED_MAX} more` : ''
  const where = nodes.length === 0 ? group.identity : `${group.identity} (${named}${more})`
  const common =
    group.cause === null
      ? ''
      : `: ${group.cause.faultyCount} of ${group.cause.memberCount} nodes are faulty for one cause`
  return `A fault of kind ${kind} (${percent(confidenceRatio)} sure), priority ${priority}, at ${where}${common}.`
}

function evidenceOf(group: Group, { votes }: Classified): readonly Evidence[] {
  const seen = [...group.faults.values()].flatMap(({ evidence }) => evidence)
  const nodes = nodesOf(group).slice(0, EVIDENCE_NODES_MAX)
  const kinds = votes.map(({ kind, weight }) => ({
    what: `votes.${kind}`,
    value: Number(weight.toPrecision(4)),
    limit: null,
  }))
  return [
    { what: 'cause', value: group.identity, limit: null },
    ...(nodes.length < 2 ? [] : [{ what: 'nodes', value: nodes.join(', '), limit: null }]),
    ...kinds,
    ...seen.slice(0, EVIDENCE_MAX),
  ]
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
