/** Feeds a coordinator the records of a pool-log and reads back what it says, as its neighbours would. */
import type { AlertRecord } from '../../src/core/alert.ts'
import type { Assessment, AssessmentRecord, ModelRef } from '../../src/core/assessment.ts'
import type { LogRecord, Output } from '../../src/core/bus.ts'
import { toBytes, toText } from '../../src/core/bytes.ts'
import type { Command, JournalEntry, ResultState } from '../../src/core/command.ts'
import type { CommandId, NodeId, PoolId, WorkloadId } from '../../src/core/ids.ts'
import { logOutput, type PoolLogKind } from '../../src/core/log.ts'
import { DEFAULT_PROMOTION, type PromotionRules } from '../../src/core/model-life.ts'
import type { Capacity, NodeEvent } from '../../src/core/node.ts'
import { partitionOf } from '../../src/core/partition.ts'
import { type Control, DEFAULT_POLICY, type Policy } from '../../src/core/policy.ts'
import type { RailFigures } from '../../src/core/rail-figures.ts'
import type { RoutePaths } from '../../src/core/route-paths.ts'
import type { Assignment, ShardFigures } from '../../src/core/shard.ts'
import type { Topology } from '../../src/core/topics.ts'
import type { WaitingQueueView } from '../../src/core/waiting.ts'
import type { Placement } from '../../src/core/workload.ts'
import { type RailCheck, RAILS } from '../../src/decide/admission.ts'
import type { NodeKeys } from '../../src/detect/detector.ts'
import { CoordinatorFold } from '../../src/pipeline/coordinator.ts'
import type { NodeRecord } from '../../src/pipeline/coordinator-outbox.ts'
import { foreshockWasm } from './node-class.ts'
import { bytesOf, textOf } from './output.ts'
import { wellRow } from './well-row.ts'

const kernel = foreshockWasm()

export const POOL = 'web' as PoolId
export const START_MS = 1_763_600_000_000
export const CAPACITY: Capacity = { cpu: 16, memoryBytes: 64e9, gpu: null }
export const MODEL: ModelRef = {
  version: 'm1',
  featureHash: 'f',
  horizonMs: 1_800_000,
  provider: 'cpu',
  explanation: 'occlusion',
  actingPoint: 0.5,
  alertBudgets: [],
}

export interface WorldOptions {
  readonly policy?: Partial<Policy>
  readonly clock?: Topology['clock']
  readonly poolPartitions?: number
  readonly rails?: readonly RailCheck[]
  readonly promotion?: PromotionRules
  readonly keyOf?: NodeKeys
  /** An owner before this one; what it has said is not said again. */
  readonly after?: CoordinatorWorld
}

export class CoordinatorWorld {
  readonly topology: Topology
  readonly records: LogRecord[] = []
  readonly outputs: Output[] = []
  /** Of the newest record. */
  last: readonly Output[] = []
  nowMs = START_MS
  readonly policy: Policy
  readonly #fold: CoordinatorFold
  readonly #rails: readonly RailCheck[]
  readonly #promotion: PromotionRules
  readonly #keyOf: NodeKeys

  constructor({
    policy = {},
    clock = 'arrival',
    poolPartitions = 1,
    rails = RAILS,
    promotion = DEFAULT_PROMOTION,
    keyOf = () => null,
    after,
  }: WorldOptions = {}) {
    this.topology = { prefix: 't.', nodePartitions: 4, poolPartitions, clock, retentionMs: 1e9 }
    this.policy = { ...DEFAULT_POLICY, mode: 'enforce', ...policy }
    this.#rails = rails
    this.#promotion = promotion
    this.#keyOf = keyOf
    this.#fold = this.createFold()
    if (after === undefined) this.feed('claim', { role: 'coordinator', owner: 'test' })
    else this.#follow(after)
  }

  #follow({ records, outputs, nowMs }: CoordinatorWorld): void {
    for (const record of records) this.#fold.fold(record)
    this.records.push(...records)
    this.outputs.push(...outputs)
    this.nowMs = nowMs
  }

  createFold(): CoordinatorFold {
    const options = {
      partition: 0,
      topology: this.topology,
      kernel,
      policyFor: () => this.policy,
      sign: (bytes: Uint8Array) => `signed-${bytes.length}`,
      source: 'foreshock/test',
      promotion: this.#promotion,
      keyOf: this.#keyOf,
    }
    return new CoordinatorFold(options, this.#rails)
  }

  /** What the coordinator writes into its own log comes back to it after the record. */
  feed(kind: PoolLogKind, body: unknown): readonly Output[] {
    const waiting = [logOutput('t.pool-log', 0, kind, null, body)]
    this.last = []
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const outputs = this.append(next)
      waiting.push(...outputs.filter(({ topic }) => topic === 't.pool-log'))
      this.last = [...this.last, ...outputs]
    }
    return this.last
  }

  /** Only this record. */
  append(output: Output): readonly Output[] {
    const record: LogRecord = {
      topic: output.topic,
      partition: 0,
      offset: this.records.length,
      appendedAtMs: this.nowMs,
      key: null,
      value: bytesOf(output.value),
      headers: output.headers!,
    }
    this.records.push(record)
    const outputs = this.#fold.fold(record)
    this.outputs.push(...outputs)
    return outputs
  }

  stats(): Readonly<Record<string, number>> {
    return this.#fold.stats()
  }

  /** Time passes; the owner's tick tells the fold. */
  after(ms: number): readonly Output[] {
    this.nowMs += ms
    return this.feed('tick', { source: 0, atMs: 0, step: 0 })
  }

  join(node: string, more: { zone?: string; capacity?: Capacity } = {}): void {
    const place = { zone: more.zone ?? null, region: null, latitude: null, longitude: null }
    this.fact({
      kind: 'join',
      node: node as NodeId,
      atMs: this.nowMs,
      class: 'server',
      pool: POOL,
      labels: {},
      place,
      capacity: more.capacity ?? CAPACITY,
    })
    this.live(node)
  }

  joinMany(count: number, zone?: string): readonly string[] {
    const nodes = Array.from({ length: count }, (_, i) => `${zone ?? 'n'}${i}`)
    for (const node of nodes) this.join(node, zone === undefined ? {} : { zone })
    return nodes
  }

  fact(event: NodeEvent): void {
    this.feed('node-fact', event)
  }

  fail(node: string, failureKind = 'disk'): void {
    this.fact({ kind: 'failure', node: node as NodeId, atMs: this.nowMs, failureKind })
  }

  assess(
    node: string,
    row: Partial<Assessment> = {},
    record: Partial<AssessmentRecord> = {},
  ): void {
    const source = partitionOf(node, this.topology.nodePartitions)
    const full = wellRow(node, POOL, this.nowMs, row)
    this.feed('assessment', {
      source,
      atMs: this.nowMs,
      model: MODEL,
      late: false,
      rows: [full],
      ...record,
    })
  }

  live(node: string): void {
    this.assess(node, { trigger: 'liveness' })
  }

  silent(node: string): void {
    this.assess(node, { liveness: 'silent', silentForMs: 16_000, trigger: 'liveness' })
  }

  risky(node: string, probability = 0.95): void {
    this.assess(node, { probability })
  }

  place(workload: string, node: string | null, more: Partial<Placement> = {}): void {
    this.feed('placement', {
      workload: workload as WorkloadId,
      node: node as NodeId | null,
      pool: POOL,
      priority: 'NORMAL',
      needs: { cpu: 1, memoryBytes: 1e9, gpu: null },
      stateBytes: 0,
      dependsOn: [],
      ...more,
    })
  }

  result(command: Command, state: ResultState, detail: string | null = null): void {
    const { commandId, epoch, pool, node } = command
    this.feed('result', { commandId, epoch, pool, node, state, atMs: this.nowMs, detail })
  }

  /** What an executor does that does its work at once. */
  carryOut(command: Command): void {
    this.result(command, 'accepted')
    this.result(command, 'started')
    if (command.workload !== null && command.action !== 'cancel') {
      this.place(command.workload, command.target)
    }
    this.result(command, 'succeeded')
    this.result(command, 'verified')
  }

  control(control: Partial<Control> & Pick<Control, 'kind'>): void {
    this.feed('control', { pool: POOL, by: 'ada', reason: 'a test', ...control })
  }

  withhold(commandIds: readonly CommandId[]): void {
    this.feed('withheld', { commandIds, reason: 'the file STOP is in the state directory' })
  }

  commands(action?: Command['action'], outputs: readonly Output[] = this.outputs): Command[] {
    return bodies<Command>(outputs, 't.commands.').filter(
      (command) => action === undefined || command.action === action,
    )
  }

  journal(kind?: JournalEntry['kind'], outputs: readonly Output[] = this.outputs): JournalEntry[] {
    return bodies<JournalEntry>(outputs, 't.journal').filter(
      (entry) => kind === undefined || entry.kind === kind,
    )
  }

  rails(outputs: readonly Output[] = this.outputs): (string | null)[] {
    return this.journal('refusal', outputs).map(({ rail }) => rail)
  }

  node(id: string): NodeRecord | undefined {
    return bodies<NodeRecord>(this.outputs, 't.nodes').findLast(({ node }) => node === id)
  }

  assignments(outputs: readonly Output[] = this.outputs): Assignment[] {
    return bodies<Assignment>(outputs, 't.assignments')
  }

  /** The compacted topic, as anybody can read it: shard → its newest record. */
  map(outputs: readonly Output[] = this.outputs): ReadonlyMap<string, Assignment> {
    const map = new Map<string, Assignment>()
    for (const { topic, key, value } of outputs) {
      if (topic !== 't.assignments') continue
      if (value === null) map.delete(String(key))
      else map.set(String(key), JSON.parse(textOf(value)) as Assignment)
    }
    return map
  }

  figures(): ShardFigures {
    return this.#fold.shardFigures()[0]
  }

  railFigures(): RailFigures {
    return this.#fold.railFigures()[0]
  }

  /** What waits for room, who is served first comes first. */
  waiting(): WaitingQueueView | undefined {
    return this.#fold.waiting()[0]
  }

  paths(from: string, to: string): RoutePaths | null {
    return this.#fold.paths(POOL, from, to)
  }

  alerts(kind: AlertRecord['kind'], outputs: readonly Output[] = this.outputs): AlertRecord[] {
    return bodies<AlertRecord>(outputs, 't.alerts').filter((alert) => alert.kind === kind)
  }

  /** What this world's own coordinator makes of another log. */
  replay(records: readonly LogRecord[]): Output[] {
    const fold = this.createFold()
    return records.flatMap((record) => [...fold.fold(record)])
  }

  /** The next owner, with other rules: it has folded the log, and claims. */
  successor(policy: Partial<Policy>): CoordinatorWorld {
    const next = new CoordinatorWorld({ policy: { ...this.policy, ...policy }, after: this })
    next.feed('claim', { role: 'coordinator', owner: 'next' })
    return next
  }

  /** Another owner's outputs of the same log. */
  refold(): Output[] {
    return this.replay(this.records)
  }
}

export function bodies<Body>(outputs: readonly Output[], topicPrefix: string): Body[] {
  return outputs
    .filter(({ topic, value }) => topic.startsWith(topicPrefix) && value !== null)
    .map(({ value }) => JSON.parse(textOf(value)) as Body)
}

/** Comparable text of outputs, byte for byte. */
export function asText(outputs: readonly Output[]): string[] {
  return outputs.map(({ topic, partition, key, value, headers }) => {
    const bytes = typeof value === 'string' ? toBytes(value) : value
    const text = bytes === null ? null : toText(bytes)
    return JSON.stringify([topic, partition, key, text, headers ?? {}])
  })
}
