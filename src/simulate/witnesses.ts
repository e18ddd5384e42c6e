/**
 * What the nodes of a simulated world see of each other, and tell: probes of peers, checks of services,
 * digests of replicas, answers to challenges, and the lies of some. It gets lost, comes twice and late
 * like samples do.
 */
import { createHash, createHmac } from 'node:crypto'
import type { Bus, Output } from '../core/bus.ts'
import type { EvidenceRecord } from '../core/evidence.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import { nodeKey } from '../detect/challenge-response.ts'
import { Random } from '../fleet/random.ts'
import type { Faults } from './fault-file.ts'
import { isMute, type Machine, type Machines } from './machines.ts'
import type { Publisher } from './publisher.ts'

/** Each node proves itself with a key that follows from it. */
export const NODE_SECRET = 'simulated'

const SECOND_MS = 1_000
const CHECK_MS = 10_000
const SLOW_ROUND_MS = 60_000
/** Nodes that check a service, and that hold a replica: the next ones of its pool. */
const OBSERVERS = 3
const HOLDERS = 3
const VERIFIER = 'verifier' as NodeId
const BROKEN = 'broken'

export interface WitnessesOptions {
  readonly seed: number
  readonly faults: Faults
  readonly machines: Machines
  readonly bus: Bus
  readonly publisher: Publisher
  readonly nowMs: () => number
  readonly after: (ms: number, callback: () => void) => void
}

export class Witnesses {
  readonly #options: WitnessesOptions
  readonly #random: Random
  readonly #records: { readonly lost: number; readonly repeated: number; readonly late: number }
  readonly #lostProbes: number
  /** By index: those of its pool that come after it, which it probes. */
  readonly #peers: readonly (readonly Machine[])[]
  /** By index: when it next lies, or its container next ends. */
  readonly #nextLieMs: number[] = []
  readonly #nextExitMs: number[] = []
  #outputs: Output[] = []
  #second = 0

  constructor(options: WitnessesOptions) {
    const { seed, faults, machines } = options
    this.#options = options
    this.#random = new Random(seed, 'witnesses')
    const drawn = new Random(seed, 'faults/witnesses')
    const { records, witnesses } = faults
    this.#records = {
      lost: records === undefined ? 0 : drawn.between(records.lost),
      repeated: records === undefined ? 0 : drawn.between(records.repeated),
      late: records === undefined ? 0 : drawn.between(records.late),
    }
    this.#lostProbes = witnesses === undefined ? 0 : drawn.between(witnesses.lost_probes)
    this.#peers = peersOf(machines.all, witnesses?.peers ?? 0)
  }

  start(): void {
    if (this.#options.faults.witnesses !== undefined) this.#turn()
  }

  /** Once a second; nodes take turns. */
  #turn(): void {
    const { machines, faults, bus, after, nowMs } = this.#options
    const atMs = nowMs()
    const everyMs = faults.witnesses!.every
    const isDue = (index: number, ms: number) =>
      (this.#second + index) % Math.max(1, Math.round(ms / SECOND_MS)) === 0
    for (const [index, machine] of machines.all.entries()) {
      if (isMute(machine, atMs)) continue
      if (isDue(index, everyMs)) this.#probe(index, machine, atMs)
      if (isDue(index, CHECK_MS)) this.#check(index, machine, atMs)
      if (isDue(index, SLOW_ROUND_MS)) this.#prove(index, machine, atMs)
      if (machine.ailments.size > 0) this.#ail(index, machine, atMs)
    }
    this.#second++
    if (this.#outputs.length > 0) void bus.produce(this.#outputs)
    this.#outputs = []
    after(SECOND_MS, () => this.#turn())
  }

  #probe(index: number, machine: Machine, nowMs: number): void {
    const { id, pool } = machine.node.spec
    const [reachable, unreachable]: [NodeId[], NodeId[]] = [[], []]
    for (const peer of this.#peers[index]) {
      const isReached = this.#reaches(machine, peer, nowMs)
      ;(isReached ? reachable : unreachable).push(peer.node.spec.id)
    }
    this.#tell(machine, nowMs, { kind: 'reachability', pool, node: id, reachable, unreachable })
  }

  /** A way that is cut in one direction brings no answer back. */
  #reaches(from: Machine, to: Machine, nowMs: number): boolean {
    if (!to.node.up || isCut(from) !== isCut(to)) return false
    if (to.flapping !== null && isMute(to, nowMs)) return false
    return !this.#random.chance(this.#lostProbes)
  }

  /** The services of the first of its peers. */
  #check(index: number, machine: Machine, nowMs: number): void {
    const { id: node, pool } = machine.node.spec
    for (const peer of this.#peers[index].slice(0, OBSERVERS)) {
      const ok = this.#reaches(machine, peer, nowMs) && !peer.ailments.has('service-down')
      this.#tell(machine, nowMs, {
        kind: 'service-check',
        pool,
        node,
        about: peer.node.spec.id,
        service: 'web',
        probe: 'http',
        ok,
        status: ok ? 200 : null,
        latencyMs: null,
      })
    }
  }

  /** The replicas that it holds, and that it is who it says. */
  #prove(index: number, machine: Machine, nowMs: number): void {
    const { id: node, pool } = machine.node.spec
    const isCorrupt = machine.ailments.has('corruption')
    for (const [rank, owner] of [machine, ...this.#peers[index]].slice(0, HOLDERS).entries()) {
      const object = `of-${owner.node.spec.id}`
      // Rot hits one replica, the node's own.
      const root = hashOf(isCorrupt && rank === 0 ? `${object}/${BROKEN}` : object)
      const digest = { kind: 'digest', pool, node, object, version: '1', root, chunks: [] } as const
      this.#tell(machine, nowMs, digest)
    }
    if (!machine.ailments.has('container-loop'))
      this.#tell(machine, nowMs, container(machine, true))
    const challengeId = `${node}/${nowMs}`
    const nonce = hashOf(challengeId)
    const key = machine.ailments.has('impostor') ? hashOf(BROKEN) : nodeKey(NODE_SECRET, node)
    const mac = createHmac('sha256', Buffer.from(key, 'hex'))
      .update(`${challengeId}.${nonce}`)
      .digest('hex')
    const challenge = { kind: 'challenge', pool, node: VERIFIER, challengeId, about: node, nonce }
    const { publisher, bus, after } = this.#options
    const atMs = nowMs
    this.#outputs.push(publisher.evidence({ ...challenge, atMs } as EvidenceRecord, nowMs))
    after(SECOND_MS, () => {
      const answer = { kind: 'challenge-response', pool, node, challengeId, mac } as const
      void bus.produce([publisher.evidence({ ...answer, atMs }, nowMs)])
    })
  }

  #ail(index: number, machine: Machine, nowMs: number): void {
    const { id: node, pool } = machine.node.spec
    const lies = machine.ailments.get('lies')
    if (lies !== undefined && nowMs >= (this.#nextLieMs[index] ?? 0)) {
      this.#nextLieMs[index] = nowMs + lies.size * SECOND_MS
      const about = this.#random.pick(this.#peers[index]).node.spec.id
      this.#tell(machine, nowMs, { kind: 'claim', pool, node, about, claim: 'dead' })
    }
    const loop = machine.ailments.get('container-loop')
    if (loop === undefined || nowMs < (this.#nextExitMs[index] ?? 0)) return
    this.#nextExitMs[index] = nowMs + loop.size * SECOND_MS
    this.#tell(machine, nowMs, container(machine, false))
  }

  /** By the node's own clock. */
  #tell(machine: Machine, nowMs: number, said: Said): void {
    const { publisher, after, bus, faults } = this.#options
    const { lost, repeated, late } = this.#records
    const random = this.#random
    if (random.chance(lost)) return
    const record = { ...said, atMs: nowMs + machine.skewMs } as EvidenceRecord
    const output = publisher.evidence(record, nowMs)
    if (random.chance(late)) {
      const lateMs = Math.round(random.logBetween(faults.records!.late_by))
      return after(lateMs, () => void bus.produce([output]))
    }
    this.#outputs.push(output)
    if (random.chance(repeated)) this.#outputs.push(output)
  }
}

/** Of any kind, without its time. */
type Said = EvidenceRecord extends infer Each
  ? Each extends Each
    ? Omit<Each, 'atMs'>
    : never
  : never

/** What a node says of its own worker. */
function container({ node }: Machine, ok: boolean): Said {
  const { id, pool } = node.spec
  const about = { node: id, about: id, service: 'worker' } as const
  const status = ok ? 0 : 1
  return { kind: 'service-check', pool, ...about, probe: 'container', ok, status, latencyMs: null }
}

function isCut({ inCuts, outCuts }: Machine): boolean {
  return inCuts + outCuts > 0
}

/** The next ones of each machine's pool, in a ring, so that each has as many that look at it. */
function peersOf(all: readonly Machine[], count: number): readonly (readonly Machine[])[] {
  const pools = new Map<PoolId, Machine[]>()
  for (const machine of all) {
    const { pool } = machine.node.spec
    pools.set(pool, [...(pools.get(pool) ?? []), machine])
  }
  return all.map((machine) => {
    const ring = pools.get(machine.node.spec.pool)!
    const at = ring.indexOf(machine)
    const after = [...ring.slice(at + 1), ...ring.slice(0, at)]
    return after.slice(0, count)
  })
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
