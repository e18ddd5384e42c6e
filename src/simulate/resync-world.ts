/**
 * A network partition and what follows it, through the coordinator's fold and an agent's book for each node: both sides
 * change placements, then blocks travel over ways that lose, damage, repeat and delay them, while owners are killed.
 */
import { createHash } from 'node:crypto'
import { HoldingBook } from '../agent/holding-book.ts'
import type { LogRecord, Output } from '../core/bus.ts'
import { toBytes } from '../core/bytes.ts'
import { assert } from '../core/errors.ts'
import type { NodeId, PoolId, WorkloadId } from '../core/ids.ts'
import { logOutput, type PoolLogKind } from '../core/log.ts'
import { DEFAULT_POLICY, type Policy } from '../core/policy.ts'
import { holdingText, type ResyncFigures } from '../core/resync.ts'
import type { MergePolicy } from '../core/split-brain.ts'
import type { Topology } from '../core/topics.ts'
import type { VersionVector } from '../core/version-vector.ts'
import type { Placement } from '../core/workload.ts'
import { Random } from '../fleet/random.ts'
import { decodeEvidence } from '../ingest/evidence.ts'
import { decodePlacement } from '../ingest/placements.ts'
import { mergePlacement } from '../decide/placement-merge.ts'
import { CoordinatorFold } from '../pipeline/coordinator.ts'

const NAME = 'node-'
const SECOND_MS = 1_000
const START_MS = 1_763_600_000_000
const POOL = 'simulated' as PoolId
const TOPOLOGY: Topology = {
  prefix: 'resync.',
  nodePartitions: 1,
  poolPartitions: 1,
  clock: 'arrival',
  retentionMs: 86_400_000,
}
/** Peers that each node says it reaches, or not. */
const PEERS = 10
const SPLIT_ROUNDS = 10
const ROUNDS_MAX = 600
/** So long a record may be late, s. */
const LATE_ROUNDS_MAX = 3

export interface ResyncWorldOptions {
  readonly kernel: WebAssembly.Module
  readonly seed: number
  readonly nodeCount: number
  readonly workloadsPerNode: number
  /** Of the nodes, the last ones: on the side that does not go on. */
  readonly apartRatio: number
  /** Workloads that are changed while the network is split, of each kind of change. */
  readonly changedRatio: number
  readonly merge: MergePolicy
  readonly faults: {
    readonly lostRatio: number
    readonly damagedRatio: number
    readonly repeatedRatio: number
    readonly lateRatio: number
    /** An owner is killed after so many seconds of the resynchronisation, and the next one folds the log. */
    readonly killedAfter: readonly number[]
  }
}

export interface ResyncSeen {
  readonly figures: ResyncFigures
  /** Of the log's time, from the first block to the last. */
  readonly lastedS: number
  /** Processing alone: coordinator and agents, ms. */
  readonly workedMs: number
  /** Nodes whose book says something else than the log. */
  readonly apartFromLog: readonly NodeId[]
  /** Copies that lost and are kept by an agent. */
  readonly lostCount: number
  readonly damagedCount: number
  /** Every owner after a kill said the same as the one before it, byte for byte. */
  readonly refoldedEqual: boolean
}

export function seeResync(options: ResyncWorldOptions, clockMs: () => number): ResyncSeen {
  return new ResyncWorld(options).run(clockMs)
}

class ResyncWorld {
  readonly #options: ResyncWorldOptions
  readonly #random: Random
  readonly #names: readonly NodeId[]
  readonly #firstApart: number
  readonly #books = new Map<NodeId, HoldingBook>()
  /** What the log says, by the rule for placements alone. */
  readonly #truth = new Map<WorkloadId, Placement>()
  readonly #records: LogRecord[] = []
  readonly #digests: string[] = []
  readonly #late: { readonly round: number; readonly record: LogRecord }[] = []
  #fold: CoordinatorFold
  #nowMs = START_MS
  #round = 0
  #blocks: Output[] = []
  #damagedCount = 0
  #refoldedEqual = true

  constructor(options: ResyncWorldOptions) {
    this.#options = options
    this.#random = new Random(options.seed, 'resync')
    this.#names = Array.from({ length: options.nodeCount }, (_, i) => `${NAME}${i}` as NodeId)
    // Of two halves neither goes on, and there is no side whose word would hold.
    const most = Math.floor(options.nodeCount * (1 - options.apartRatio))
    this.#firstApart = Math.max(most, Math.floor(options.nodeCount / 2) + 1)
    const reporter = { topology: TOPOLOGY, source: '/agents/simulated', verify }
    for (const node of this.#names) this.#books.set(node, new HoldingBook({ ...reporter, node }))
    this.#fold = this.#createFold()
  }

  run(clockMs: () => number): ResyncSeen {
    this.#append('claim', {})
    for (const node of this.#names) this.#append('node-fact', joinOf(node))
    this.#placeAll()
    this.#report(() => 0)
    this.#tick()
    for (let i = 0; i < SPLIT_ROUNDS; i++) {
      this.#report((index) => (index < this.#firstApart ? 0 : 1))
      this.#tick()
    }
    this.#change()
    this.#report(() => 0)
    let [began, beganMs] = [0, 0]
    for (; this.#round < ROUNDS_MAX; this.#tick()) {
      if (began === 0 && this.#figures() !== null) [began, beganMs] = [this.#round, clockMs()]
      if (began > 0) {
        this.#deliver()
        if (this.#figures()?.running === false) break
        if (this.#options.faults.killedAfter.includes(this.#round - began)) this.#kill()
      }
    }
    const figures = this.#figures()
    assert(figures !== null && !figures.running, 'the resynchronisation ends')
    return {
      figures,
      lastedS: Math.max(1, this.#round - began),
      workedMs: clockMs() - beganMs,
      apartFromLog: this.#apartFromLog(),
      lostCount: [...this.#books.values()].reduce((sum, book) => sum + book.lost().length, 0),
      damagedCount: this.#damagedCount,
      refoldedEqual: this.#refoldedEqual,
    }
  }

  #figures(): ResyncFigures | null {
    return this.#fold.railFigures().find(({ pool }) => pool === POOL)?.resync ?? null
  }

  #placeAll(): void {
    for (const [index, node] of this.#names.entries()) {
      for (let i = 0; i < this.#options.workloadsPerNode; i++) {
        const placement = placementOf(`w-${index}-${i}`, node, { log: 1 })
        this.#publish(placement)
        this.#books.get(node)!.note(placement)
      }
    }
  }

  /** Each kind of change on one side, the other, or both; an agent that is cut off publishes nothing. */
  #change(): void {
    const { changedRatio, workloadsPerNode } = this.#options
    const [living, apart] = [
      this.#names.slice(0, this.#firstApart),
      this.#names.slice(this.#firstApart),
    ]
    for (const node of apart) {
      const book = this.#books.get(node)!
      for (const placement of book.held()) {
        if (!this.#random.chance(changedRatio)) continue
        const { workload } = placement
        const elsewhere = this.#pick(living)
        const kind = Math.floor(this.#random.ratio() * 5)
        const cut = bumped(placement, 'east')
        const whole = bumped(this.#truth.get(workload), 'log')
        // Taken over by the side that goes on; moved, ended or begun anew on the other; both; or forgotten.
        if (kind === 0 || kind === 3) {
          const before = this.#truth.get(workload)?.node ?? null
          const taken = placementOf(workload, elsewhere, whole)
          this.#publish(taken)
          this.#books.get(elsewhere)!.note(taken)
          if (before !== null && living.includes(before)) this.#books.get(before)!.note(taken)
        }
        if (kind === 1 || kind === 3) {
          const target = this.#pick(apart)
          const moved = placementOf(workload, target, cut)
          book.note(moved)
          this.#books.get(target)!.note(moved)
        }
        if (kind === 2) book.note(placementOf(workload, null, cut))
        if (kind === 4) {
          const anew = placementOf(`${workload}-anew`, node, { east: 1 })
          book.note(anew)
        }
      }
    }
    // An agent that was begun anew and remembers nothing.
    if (workloadsPerNode > 0 && changedRatio > 0) {
      const node = this.#pick(apart)
      const reporter = { topology: TOPOLOGY, source: '/agents/simulated', verify }
      this.#books.set(node, new HoldingBook({ ...reporter, node }))
    }
  }

  /** Blocks to their agents, and what they answer to the log, in any order. */
  #deliver(): void {
    const { lostRatio, repeatedRatio } = this.#options.faults
    const answers: Output[] = []
    for (const block of this.#blocks.splice(0)) {
      if (this.#random.chance(lostRatio)) continue
      const times = this.#random.chance(repeatedRatio) ? 2 : 1
      for (let i = 0; i < times; i++) {
        const record = this.#damaged(block)
        answers.push(...this.#books.get(block.key as NodeId)!.take(record, this.#nowMs))
      }
    }
    const due = this.#late.splice(0)
    for (const each of due) {
      if (each.round <= this.#round) this.#take(each.record)
      else this.#late.push(each)
    }
    for (const answer of this.#shuffled(answers)) this.#send(answer)
  }

  #send(answer: Output): void {
    const { lostRatio, lateRatio, repeatedRatio } = this.#options.faults
    const record = recordOf(answer, 0, this.#nowMs)
    // Only evidence gets lost: a placement is sent until the bus has it.
    if (answer.topic.endsWith('.evidence') && this.#random.chance(lostRatio)) return
    const isLate = this.#random.chance(lateRatio)
    if (this.#random.chance(repeatedRatio)) this.#take(record)
    const round = this.#round + 1 + Math.floor(this.#random.ratio() * LATE_ROUNDS_MAX)
    if (isLate) this.#late.push({ round, record })
    else this.#take(record)
  }

  /** What ingest makes of a public record. */
  #take({ topic, value }: LogRecord): void {
    if (topic.endsWith('.placements')) {
      const read = decodePlacement(value!)
      assert(read.ok, 'an agent sends placements that are taken')
      return this.#publish(read.value)
    }
    const read = decodeEvidence(value!, { nowMs: this.#nowMs, appendedAtMs: this.#nowMs })
    assert(read.ok, 'an agent sends evidence that is taken')
    this.#append('evidence', read.value)
  }

  #publish(said: Placement): void {
    const known = this.#truth.get(said.workload)
    const wentOn = (node: NodeId): boolean => Number(node.slice(NAME.length)) < this.#firstApart
    const merge = mergePlacement(known, said, this.#options.merge, wentOn)
    if (merge.kind !== 'stale') this.#truth.set(said.workload, merge.kept)
    this.#append('placement', said)
  }

  #apartFromLog(): readonly NodeId[] {
    const said = new Map<NodeId, string[]>()
    for (const placement of this.#truth.values()) {
      if (placement.node === null) continue
      const lines = said.get(placement.node) ?? []
      said.set(placement.node, lines)
      lines.push(lineOf(placement))
    }
    return this.#names.filter((node) => {
      const own = this.#books.get(node)!.held().map(lineOf)
      return own.sort().join('\n') !== (said.get(node) ?? []).sort().join('\n')
    })
  }

  #damaged(block: Output): LogRecord {
    const record = recordOf(block, 0, this.#nowMs)
    if (!this.#random.chance(this.#options.faults.damagedRatio)) return record
    this.#damagedCount++
    const value = Uint8Array.from(record.value!)
    value[Math.floor(this.#random.ratio() * value.length)] ^= 1
    return { ...record, value }
  }

  #kill(): void {
    this.#fold = this.#createFold()
    for (const [index, record] of this.#records.entries()) {
      this.#refoldedEqual &&= digestOf(this.#fold.fold(record)) === this.#digests[index]
    }
    this.#append('claim', {})
  }

  #append(kind: PoolLogKind, body: unknown): void {
    const output = logOutput('resync.pool-log', 0, kind, null, body)
    const record = recordOf(output, this.#records.length, this.#nowMs)
    this.#records.push(record)
    const outputs = this.#fold.fold(record)
    if (this.#options.faults.killedAfter.length > 0) this.#digests.push(digestOf(outputs))
    for (const each of outputs) if (each.topic === 'resync.resync') this.#blocks.push(each)
  }

  #tick(): void {
    this.#round++
    this.#nowMs += SECOND_MS
    this.#append('tick', { source: 0, atMs: 0, step: 0 })
  }

  #report(sideOf: (index: number) => number): void {
    const names = this.#names
    for (const [index, node] of names.entries()) {
      const [reachable, unreachable]: [NodeId[], NodeId[]] = [[], []]
      const peers = new Set(
        Array.from({ length: PEERS }, (_, i) => (index + (i + 1) ** 2) % names.length),
      )
      peers.delete(index)
      for (const peer of peers) {
        ;(sideOf(peer) === sideOf(index) ? reachable : unreachable).push(names[peer])
      }
      const seen = { kind: 'reachability', pool: POOL, node, atMs: this.#nowMs }
      this.#append('evidence', { ...seen, reachable, unreachable })
    }
  }

  #createFold(): CoordinatorFold {
    const splitBrain = {
      policy: 'keep-majority',
      stableAfterMs: 1_000,
      quorumNodes: null,
      leaseWaitMs: 10_000,
      minority: 'pause',
      resumeEveryMs: 10_000,
      merge: this.#options.merge,
    } as const
    const policy: Policy = { ...DEFAULT_POLICY, splitBrain }
    return new CoordinatorFold({
      partition: 0,
      topology: TOPOLOGY,
      kernel: this.#options.kernel,
      policyFor: () => policy,
      sign,
      source: '/resync',
    })
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.#random.ratio() * items.length)]
  }

  #shuffled<Item>(items: readonly Item[]): readonly Item[] {
    return items
      .map((item) => ({ item, at: this.#random.ratio() }))
      .sort((a, b) => a.at - b.at)
      .map(({ item }) => item)
  }
}

/** Stands for a signature: it fits these bytes and no others. */
function sign(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64')
}

function verify(bytes: Uint8Array, signature: string): boolean {
  return sign(bytes) === signature
}

function recordOf({ topic, value, headers }: Output, offset: number, nowMs: number): LogRecord {
  assert(value !== null, 'nothing is deleted here')
  const bytes = typeof value === 'string' ? toBytes(value) : value
  const more = { value: bytes, headers: headers ?? {} }
  return { topic, partition: 0, key: null, offset, appendedAtMs: nowMs, ...more }
}

function digestOf(outputs: readonly Output[]): string {
  const hash = createHash('sha256')
  for (const { topic, value } of outputs) hash.update(`${topic}\n`).update(value ?? '')
  return hash.digest('hex')
}

function placementOf(workload: string, node: NodeId | null, versions: VersionVector): Placement {
  return {
    workload: workload as WorkloadId,
    node,
    pool: POOL,
    priority: 'NORMAL',
    needs: { cpu: 0.01, memoryBytes: 1, gpu: null },
    stateBytes: 0,
    dependsOn: [],
    versions,
    standby: null,
  }
}

function bumped(known: Placement | undefined, writer: string): VersionVector {
  return { ...known?.versions, [writer]: (known?.versions?.[writer] ?? 0) + 1 }
}

function lineOf({ workload, versions }: Placement): string {
  return holdingText([{ workload, versions: versions ?? null }])
}

function joinOf(node: NodeId): unknown {
  const place = { zone: null, region: null, latitude: null, longitude: null }
  const capacity = { cpu: 64, memoryBytes: 1e12, gpu: null }
  const body = { kind: 'join', node, atMs: START_MS, class: 'server', pool: POOL, labels: {} }
  return { ...body, place, capacity }
}
