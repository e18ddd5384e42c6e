/**
 * History as a world: what happened then happens again on the public topics, and the executor that
 * carries out the commands notes which failures they foresaw.
 *
 * Each node carries one workload. When it has been moved away the node goes on, as it did in
 * history, and gets another one a horizon later: as in a backtest, one alarm per node and horizon.
 * Targets are ample, so that only seeing is judged, not placing.
 */
import { Executor } from '../agent/executor.ts'
import type { LogRecord, Output } from '../core/bus.ts'
import { cloudEventOutput } from '../core/cloudevent.ts'
import { commandTopic } from '../core/command.ts'
import type { Command } from '../core/command.ts'
import { toText } from '../core/bytes.ts'
import type { ActionStart, ActionState, ExecutorHooks } from '../core/executor.ts'
import type { NodeId, WorkloadId } from '../core/ids.ts'
import { DEFAULT_POOL } from '../core/ids.ts'
import { type Capacity, isIntervention, type NodeClass, type NodeEvent } from '../core/node.ts'
import { partitionOf } from '../core/partition.ts'
import { MONTH_MS } from '../core/time.ts'
import { topicName, type InputTopic, type Topology } from '../core/topics.ts'
import type { Placement } from '../core/workload.ts'
import { SampleBuilder } from '../ingest/samples.ts'
import type { World } from '../pipeline/driven-world.ts'
import { median } from '../../training/alerts.ts'
import type { History } from '../../training/history.ts'

const SOURCE = '/replay'
const SPARE_COUNT = 8
const NEEDS = { cpu: 1, memoryBytes: 1, gpu: null } as const
/** Room for one workload: its own. */
const NODE_CAPACITY: Capacity = { cpu: 1, memoryBytes: 1, gpu: null }
const SPARE_CAPACITY: Capacity = { cpu: 1e9, memoryBytes: 1e9, gpu: null }

export interface ReplayOptions {
  readonly topology: Topology
  readonly nodeClass: NodeClass
  readonly horizonMs: number
  readonly verify: (bytes: Uint8Array, signature: string) => boolean
}

/** The part of a history that is replayed, in memory and in time order. */
export interface ReplayData {
  readonly events: readonly NodeEvent[]
  readonly nodes: readonly string[]
  readonly atMs: readonly number[]
  /** Row after row, one value per metric of the class; NaN is missing. */
  readonly values: readonly Float64Array[]
}

export interface ReplayOutcome {
  readonly failureCount: number
  readonly foreseenCount: number
  readonly leadTimeMs: number | null
  readonly alarmCount: number
  readonly falseAlarmCount: number
  readonly falseAlarmsPer1000NodeMonths: number
  readonly resultCount: number
}

/** The nodes of a history that `wanted` takes. */
export async function readReplayData(
  history: History,
  wanted: (node: string) => boolean,
): Promise<ReplayData> {
  const nodes: string[] = []
  const atMs: number[] = []
  const values: Float64Array[] = []
  for await (const rows of history.samples()) {
    for (let row = 0; row < rows.count; row++) {
      if (!wanted(rows.nodes[row])) continue
      nodes.push(rows.nodes[row])
      atMs.push(rows.atMs[row])
      values.push(Float64Array.from(rows.columns, (column) => column[row]))
    }
  }
  // What was done to nodes then is not done to them here.
  const events = history.events.filter(
    (event): event is NodeEvent => wanted(event.node) && !isIntervention(event),
  )
  return { events, nodes, atMs, values }
}

export class ReplayWorld implements World {
  readonly #options: ReplayOptions
  readonly #data: ReplayData
  readonly #executor: Executor
  readonly #placements = new Map<WorkloadId, Placement>()
  /** Node → times of the commands to move its work away. */
  readonly #alarms = new Map<string, number[]>()
  readonly #ends = new Map<string, { readonly atMs: number; readonly failed: boolean }>()
  readonly #joins = new Map<string, number>()
  /** Nodes that get a workload again, in order of time. */
  #vacant: { readonly node: NodeId; readonly untilMs: number }[] = []
  #nextEvent = 0
  #nextSample = 0
  #workloadCount = 0
  #resultCount = 0
  #begun = false

  constructor(data: ReplayData, options: ReplayOptions) {
    this.#options = options
    this.#data = data
    const { topology, verify } = options
    this.#executor = new Executor({ topology, source: SOURCE, verify, hooks: this.#hooks() })
    for (const { kind, node, atMs } of data.events) {
      if (kind === 'join') this.#joins.set(node, atMs)
      else if (kind !== 'labels') this.#ends.set(node, { atMs, failed: kind === 'failure' })
    }
  }

  get sampleCount(): number {
    return this.#nextSample
  }

  /** Share of the samples that have been sent, 0..1. */
  get doneRatio(): number {
    return this.#data.nodes.length === 0 ? 1 : this.#nextSample / this.#data.nodes.length
  }

  step(nowMs: number): readonly Output[] {
    const outputs: Output[] = []
    if (!this.#begun) outputs.push(...this.#spares(nowMs))
    this.#begun = true
    this.#fillVacant(nowMs, outputs)
    this.#sendEvents(nowMs, outputs)
    this.#sendSamples(nowMs, outputs)
    outputs.push(...this.#counted(this.#executor.advance(nowMs)))
    return outputs
  }

  take(record: LogRecord, nowMs: number): readonly Output[] {
    const isMigration =
      record.topic === topicName(this.#options.topology, commandTopic('migrate')) &&
      record.value !== null
    if (isMigration) {
      const { node } = JSON.parse(toText(record.value)) as Command
      const times = this.#alarms.get(node)
      if (times === undefined) this.#alarms.set(node, [nowMs])
      else times.push(nowMs)
    }
    return this.#counted(this.#executor.take(record, nowMs))
  }

  /** What the commands foresaw. A failure is foreseen by a command within the horizon before it. */
  outcome(): ReplayOutcome {
    const { horizonMs } = this.#options
    const leads: number[] = []
    let [failureCount, alarmCount, falseAlarmCount, exposureMs] = [0, 0, 0, 0]
    for (const [node, { atMs: endMs, failed }] of this.#ends) {
      const alarms = this.#alarms.get(node) ?? []
      exposureMs += endMs - (this.#joins.get(node) ?? endMs)
      alarmCount += alarms.length
      const isTrue = (atMs: number) => failed && atMs < endMs && endMs - atMs <= horizonMs
      falseAlarmCount += alarms.filter((atMs) => !isTrue(atMs)).length
      if (!failed) continue
      failureCount++
      const first = alarms.find(isTrue)
      if (first !== undefined) leads.push(endMs - first)
    }
    const months = exposureMs / MONTH_MS
    return {
      failureCount,
      foreseenCount: leads.length,
      leadTimeMs: median(leads),
      alarmCount,
      falseAlarmCount,
      falseAlarmsPer1000NodeMonths: months === 0 ? 0 : (falseAlarmCount * 1_000) / months,
      resultCount: this.#resultCount,
    }
  }

  #fillVacant(nowMs: number, outputs: Output[]): void {
    while (this.#vacant.length > 0 && this.#vacant[0].untilMs <= nowMs) {
      const { node } = this.#vacant.shift()!
      const end = this.#ends.get(node)
      const isThere = end === undefined || end.atMs > nowMs
      if (isThere) outputs.push(this.#place(this.#newWorkload(node), nowMs))
    }
  }

  #sendEvents(nowMs: number, outputs: Output[]): void {
    const { events } = this.#data
    for (; this.#nextEvent < events.length; this.#nextEvent++) {
      const event = events[this.#nextEvent]
      if (event.atMs > nowMs) return
      outputs.push(this.#event(event, NODE_CAPACITY))
      if (event.kind === 'join') outputs.push(this.#place(this.#newWorkload(event.node), nowMs))
    }
  }

  /** Arrow, one record per partition and class batch. */
  #sendSamples(nowMs: number, outputs: Output[]): void {
    const { nodes, atMs, values } = this.#data
    const { topology, nodeClass } = this.#options
    const builders = new Map<number, SampleBuilder>()
    const close = (partition: number, builder: SampleBuilder) => {
      if (builder.count === 0) return
      outputs.push({
        topic: topicName(topology, 'telemetry'),
        partition,
        key: null,
        value: builder.build(),
        headers: {
          'content-type': 'application/vnd.apache.arrow.stream',
          class: nodeClass.name,
        },
      })
    }
    for (; this.#nextSample < nodes.length && atMs[this.#nextSample] <= nowMs; this.#nextSample++) {
      const row = this.#nextSample
      const name = new TextEncoder().encode(nodes[row])
      const partition = partitionOf(name, topology.nodePartitions)
      let builder = builders.get(partition)
      if (builder === undefined) builders.set(partition, (builder = new SampleBuilder(nodeClass)))
      if (builder.full) close(partition, builder)
      builder.append(name, 0, name.length, atMs[row], atMs[row])
      for (const [metric, value] of values[row].entries()) builder.set(metric, value)
    }
    for (const [partition, builder] of builders) close(partition, builder)
  }

  #spares(nowMs: number): readonly Output[] {
    return Array.from({ length: SPARE_COUNT }, (_, i) =>
      this.#event(
        {
          kind: 'join',
          node: `replay-spare-${i}` as NodeId,
          atMs: nowMs,
          class: this.#options.nodeClass.name,
          pool: DEFAULT_POOL,
          labels: {},
          place: { zone: null, region: null, latitude: null, longitude: null },
          capacity: SPARE_CAPACITY,
        },
        SPARE_CAPACITY,
      ),
    )
  }

  #newWorkload(node: NodeId): Placement {
    return {
      workload: `replay-workload-${this.#workloadCount++}` as WorkloadId,
      node,
      pool: DEFAULT_POOL,
      priority: 'NORMAL',
      needs: NEEDS,
      stateBytes: 0,
      dependsOn: [],
    }
  }

  #place(placement: Placement, nowMs: number): Output {
    this.#placements.set(placement.workload, placement)
    const { workload } = placement
    const type = 'foreshock.placement.changed'
    return this.#output('placements', workload, type, `${workload}/${nowMs}`, nowMs, placement)
  }

  #event(event: NodeEvent, capacity: Capacity): Output {
    const { node, atMs, kind } = event
    const { atMs: _atMs, ...rest } = event
    const body = kind === 'join' ? { ...rest, capacity, at: atMs } : { ...rest, at: atMs }
    return this.#output('events', node, `foreshock.event.${kind}`, `${node}/${kind}`, atMs, body)
  }

  #output(
    topic: InputTopic,
    subject: string,
    type: string,
    id: string,
    atMs: number,
    body: unknown,
  ): Output {
    const { topology } = this.#options
    return cloudEventOutput(
      topicName(topology, topic),
      partitionOf(subject, topology.nodePartitions),
      { type, source: SOURCE, id, subject, atMs },
      body,
    )
  }

  #counted(outputs: readonly Output[]): readonly Output[] {
    const results = topicName(this.#options.topology, 'results')
    for (const { topic } of outputs) if (topic === results) this.#resultCount++
    return outputs
  }

  /** Everything works at once: only what the service foresees is on trial here. */
  #hooks(): ExecutorHooks {
    const move = (command: Command, nowMs: number): ActionStart => {
      const placement = this.#placements.get(command.workload!)
      if (placement === undefined) return { ok: false, refused: 'there is no such workload' }
      const moved = { ...placement, node: command.target }
      this.#placements.set(placement.workload, moved)
      if (command.action === 'migrate') {
        this.#vacant.push({ node: command.node, untilMs: nowMs + this.#options.horizonMs })
      }
      return instant(moved, nowMs)
    }
    const simple = (_command: Command, nowMs: number): ActionStart => instant(null, nowMs)
    return {
      migrate: move,
      recover: move,
      promote: move,
      fence: simple,
      restart: () => ({ ok: false, refused: 'a history cannot be mended by a restart' }),
      replicate: () => ({ ok: false, refused: 'a history holds no replicas' }),
      cordon: simple,
      uncordon: simple,
      unmet: () => null,
    }
  }
}

function instant(placement: Placement | null, _nowMs: number): ActionStart {
  let polls = 0
  const poll = (): ActionState =>
    polls++ === 0 ? { kind: 'succeeded', placement } : { kind: 'verified' }
  return { ok: true, action: { poll, withdraw: () => false } }
}
