/**
 * Runs each pool's detectors on what the fold sees, and does what follows from a fault: silence and
 * foretold failures become incidents with plans, everything else one that is only observed.
 */
import type { Assessment } from '../core/assessment.ts'
import type { Result } from '../core/command.ts'
import type { EvidenceRecord } from '../core/evidence.ts'
import type { Fault, FaultKind } from '../core/fault.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import type { NetworkFigures } from '../core/network.ts'
import type { JoinEvent, NodeEvent } from '../core/node.ts'
import type { DetectorSettings, Policy } from '../core/policy.ts'
import type { Vote } from '../core/vote.ts'
import type { Held } from '../decide/admission.ts'
import { type Attributes, type Dimension, DIMENSIONS } from '../decide/shared-cause.ts'
import { AttackLog } from '../detect/attack-log.ts'
import type { DetectorInput, NodeKeys, Observed } from '../detect/detector.ts'
import { DetectorSet, type Told } from '../detect/detector-set.ts'
import { heartbeat } from '../detect/heartbeat.ts'
import { predictedFailure } from '../detect/predicted-failure.ts'
import { DETECTORS } from '../detect/registry.ts'
import { isCare } from '../recover/plan.ts'
import { type IncidentDesk, whyOf } from './coordinator-incidents.ts'
import { Integrity } from './integrity.ts'
import { networkFigures, networkHold } from './coordinator-network.ts'
import { ObservedDesk } from './coordinator-observed.ts'
import { VouchedNodes } from './coordinator-vouched.ts'
import type { Outbox } from './coordinator-outbox.ts'
import { noteExhaustion } from './coordinator-relief.ts'
import type { SplitBrainDesk } from './coordinator-split-brain.ts'
import { ReplicaDesk } from './coordinator-replicas.ts'
import type { CoordinatorState, PoolState } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'

/** Trust weighs so much in health, so reputation takes at most this from it. */
const TRUST_WEIGHT = 0.1

export interface EvidenceOptions {
  readonly policyFor: (pool: PoolId) => Policy
  /** Keys that nodes prove themselves with; none when absent. */
  readonly keyOf?: NodeKeys
}

interface PoolDetectors {
  readonly set: DetectorSet
  readonly attacks: AttackLog
  networkVersion: number
}

export class EvidenceDesk {
  readonly #options: EvidenceOptions
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #incidents: IncidentDesk
  readonly #splits: SplitBrainDesk
  readonly #observed: ObservedDesk
  readonly #replicas: ReplicaDesk
  readonly #pools = new Map<PoolId, PoolDetectors>()
  readonly #vouched: VouchedNodes
  readonly #integrity = new Integrity()
  #tickedAtMs = 0

  constructor(
    options: EvidenceOptions,
    state: CoordinatorState,
    outbox: Outbox,
    incidents: IncidentDesk,
    splits: SplitBrainDesk,
  ) {
    this.#options = options
    this.#state = state
    this.#outbox = outbox
    this.#incidents = incidents
    this.#splits = splits
    this.#vouched = new VouchedNodes(state)
    this.#observed = new ObservedDesk(state, outbox, options.policyFor)
    const policyFor = (pool: PoolState) => options.policyFor(pool.id)
    this.#replicas = new ReplicaDesk(state, outbox, incidents, policyFor)
  }

  /** What nodes have in common, and their ends. */
  takeFact(event: NodeEvent): void {
    const node = this.#state.nodes.get(event.node)
    if (node === undefined) return
    if (event.kind === 'failure') {
      this.#observed.confirm(node, event.failureKind)
      this.#say(node.pool, { kind: 'departure', node: node.id })
    } else if (event.kind === 'join') {
      const attributes = attributesOf(event.labels, event.place)
      this.#observed.setMember(node.pool, node.id, attributes)
      this.#say(node.pool, { kind: 'arrival', node: node.id, likeness: likenessOf(event) })
    } else if (event.kind === 'labels') {
      const known = this.#observed.attributesOf(node.pool, node.id)
      this.#observed.setMember(node.pool, node.id, attributesOf(event.labels, known))
    }
  }

  assess(node: NodeState, row: Assessment): void {
    if (node.failedAtMs !== null) return
    this.#vouched.weigh(node, row, this.#outbox.nowMs)
    const { set } = this.#pool(node.pool)
    if (node.health !== null) {
      const lost = TRUST_WEIGHT * (1 - set.reputationOf(node.id, this.#outbox.nowMs))
      if (lost > 0) node.health = Math.max(0, node.health - lost)
    }
    this.#sayOf(node, row)
  }

  #sayOf(node: NodeState, row: Assessment): void {
    this.#say(node.pool, {
      kind: 'assessment',
      row,
      liveness: this.#state.livenessOf(node),
      probability: node.probability,
      top: node.top,
      alarmRaised: node.alarm.raised,
      actingPoint: node.actingPoint,
      model: node.model,
    })
  }

  take(record: EvidenceRecord): void {
    if (record.kind === 'reachability') this.#state.latencies.take(record, this.#outbox.nowMs)
    this.#vouched.hear(record, this.#outbox.nowMs)
    if (record.kind === 'holding') return this.#splits.resync.take(record)
    this.#say(record.pool, { kind: record.kind, record } as Observed)
    if (record.kind === 'reachability') this.#splits.hear(record)
  }

  /** A vote that is signed is seen by those who watch for manipulation. */
  takeVote({ pool, node, atMs, ballot, choice }: Vote): void {
    const record = { kind: 'ballot', pool, node, atMs, ballot, choice } as const
    this.#say(pool, { kind: 'ballot', record })
  }

  /** Reputation, 0..1; nobody is trusted on another side of a split network. */
  trustOf(node: NodeState): number {
    if (this.#splits.holdOf(node)) return 0
    return this.#pool(node.pool).set.reputationOf(node.id, this.#outbox.nowMs)
  }

  takeResult({ pool, node, state }: Result): void {
    if (state === 'verified') this.#say(pool, { kind: 'recovery', node })
  }

  /** Once a second of the log's time. */
  tick(): void {
    const { nowMs } = this.#outbox
    if (nowMs <= this.#tickedAtMs) return
    this.#tickedAtMs = nowMs
    for (const { node, row } of this.#vouched.expire(nowMs)) this.#sayOf(node, row)
    this.#replicas.look()
    for (const [pool, detectors] of this.#pools) {
      this.#say(pool, { kind: 'tick' })
      const view = detectors.set.network()
      if (view !== null) this.#splits.follow(pool, view)
      const version = view?.version ?? 0
      if (version === detectors.networkVersion) continue
      detectors.networkVersion = version
      this.#wake(pool)
    }
  }

  /** Nodes that left a pool take what was said of them with them. Call it before `left` is emptied. */
  follow(): void {
    for (const { pool, node } of this.#state.left) {
      if (this.#pools.has(pool)) this.#say(pool, { kind: 'departure', node })
      this.#observed.removeMember(pool, node)
      this.#state.latencies.forget(pool, node)
    }
  }

  /** Why work on the node waits; null when nothing holds it. */
  heldBack(node: NodeState): Held | null {
    const view = this.#pools.get(node.pool)?.set.network() ?? null
    let held = this.#splits.holdOf(node)
    if (held === undefined) held = view === null ? null : networkHold(view, node.id)
    if (held !== null) return held
    const reason = this.#observed.sharedCauseOf(node.pool, node.id)
    return reason === null ? null : { rail: 'shared-cause', reason, lanes: 'preemptive' }
  }

  /** What is wrong with the data of the node; null where nothing is. */
  corruptionOf({ id }: NodeState): string | null {
    return this.#integrity.problemOf(id)
  }

  /** State, history and statistics of each pool's network. */
  network(): readonly NetworkFigures[] {
    return [...this.#pools].flatMap(([pool, { set, attacks }]) =>
      networkFigures(pool, set.network(), attacks),
    )
  }

  /** `DETECTOR/FIGURE` → number, over the pools. */
  stats(): Readonly<Record<string, number>> {
    const totals: Record<string, number> = {}
    for (const { set } of this.#pools.values()) {
      for (const [figure, value] of Object.entries(set.stats())) {
        totals[figure] = (totals[figure] ?? 0) + value
      }
    }
    return { ...totals, ...this.#observed.stats(), vouchedCount: this.#vouched.size }
  }

  /** The pool has other settings now. */
  turn(pool: PoolId, settings: DetectorSettings): void {
    const detectors = this.#pools.get(pool)
    if (detectors !== undefined) this.#tell(pool, detectors, detectors.set.follow(settings))
  }

  #say(pool: PoolId, input: DetectorInput): void {
    const detectors = this.#pool(pool)
    this.#tell(pool, detectors, detectors.set.take(input, this.#outbox.nowMs))
  }

  #tell(pool: PoolId, { attacks }: PoolDetectors, all: readonly Told[]): void {
    for (const told of all) {
      this.#act(told)
      noteCritical(this.#state, told)
      attacks.take(told, this.#outbox.nowMs)
      this.#observed.take(pool, told)
      for (const node of this.#integrity.take(told)) this.#stirReturn(node)
      this.#replicas.take(told)
      if (told.state !== 'stands') this.#wake(pool)
    }
  }

  /** Whether it may be let back is another case now. */
  #stirReturn(id: NodeId): void {
    const node = this.#state.nodes.get(id)
    if (node === undefined) return
    const open = this.#state.pool(node.pool).incidents.ofNode(node)
    for (const incident of open) this.#state.stirIncident(incident)
  }

  /** What the shared-cause rail refused may be another case now. */
  #wake(id: PoolId): void {
    const pool = this.#state.pool(id)
    pool.woken.add('shared-cause')
    pool.dirty = true
  }

  #pool(pool: PoolId): PoolDetectors {
    let detectors = this.#pools.get(pool)
    if (detectors === undefined) {
      const { policyFor, keyOf } = this.#options
      const set = new DetectorSet(pool, policyFor(pool).detectors, DETECTORS, keyOf)
      detectors = { set, attacks: new AttackLog(), networkVersion: 0 }
      this.#pools.set(pool, detectors)
    }
    return detectors
  }

  /** A fault that a plan answers. */
  #act(told: Told): void {
    noteExhaustion(this.#state, told)
    if (told.state === 'cleared') return
    const { fault } = told
    const node = fault.node === null ? undefined : this.#state.nodes.get(fault.node)
    if (node !== undefined) this.#raise(node, fault)
  }

  #raise(node: NodeState, fault: Fault): void {
    if (fault.detector === heartbeat.name) {
      this.#incidents.raise(node, 'silent', fault, whyOf(node, 'silent'))
    } else if (fault.detector === predictedFailure.name && isFreeFor(node)) {
      this.#incidents.raise(node, 'predicted', fault, whyOf(node, 'predicted'))
    }
  }
}

/** A node that is only relieved of load, or given its data anew, is not taken care of. */
function isFreeFor({ incident }: NodeState): boolean {
  return incident === null || isCare(incident.cause)
}

/** What a node's labels do not say. */
const NO_LABELS: ReadonlySet<Dimension> = new Set(['model', 'zone', 'region'])
/** Silence counts by itself; liars and attackers do not make an emergency. */
function noteCritical(state: CoordinatorState, { state: is, fault }: Told): void {
  const node = fault.node === null ? undefined : state.nodes.get(fault.node)
  if (node === undefined || NO_SYMPTOM.has(fault.kind) || fault.detector === heartbeat.name) return
  const stands = is !== 'cleared' && fault.severity === 'critical'
  state.noteCritical(node, `${fault.detector}/${fault.subject}`, stands)
}

const NO_SYMPTOM: ReadonlySet<FaultKind> = new Set(['byzantine', 'attack', 'network-partition'])

/** Labels that say what a node shares with others; a label that is null is gone. */
function attributesOf(
  labels: Readonly<Record<string, string | null>>,
  known: Readonly<Partial<Record<Dimension, string | null>>>,
): Attributes {
  const attributes: Partial<Record<Dimension, string>> = {}
  for (const dimension of DIMENSIONS) {
    const said = NO_LABELS.has(dimension) ? undefined : labels[dimension]
    const value = said === undefined ? known[dimension] : said
    if (value !== null && value !== undefined && value !== '') attributes[dimension] = value
  }
  return attributes
}

/** Nodes with the same text look the same but for their names. */
function likenessOf({ class: nodeClass, capacity, labels }: JoinEvent): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([nodeClass, capacity, sorted])
}
