/**
 * What a coordinator says to the outside. Every id is made of the partition and offset of the record
 * that caused it and a count within it: the same log gives the same ids, and none is ever used twice.
 */
import type { AlertRecord, PublishedAlert } from '../core/alert.ts'
import type { Output } from '../core/bus.ts'
import { toBytes } from '../core/bytes.ts'
import { cloudEventHeaders, cloudEventOutput, timeOf } from '../core/cloudevent.ts'
import { type Command, commandTopic, type JournalEntry } from '../core/command.ts'
import { assert } from '../core/errors.ts'
import type { CommandId, IncidentId, NodeId, PlanId, PoolId } from '../core/ids.ts'
import { type ClockRecord, logOutput } from '../core/log.ts'
import type { Intervention } from '../core/node.ts'
import { partitionOf } from '../core/partition.ts'
import { pathsKey, type PublishedPaths } from '../core/route-paths.ts'
import type { ResyncBlock } from '../core/resync.ts'
import { partitionCount, topicName, type Topology } from '../core/topics.ts'
import type { BallotId } from '../core/vote.ts'

export interface OutboxOptions {
  readonly partition: number
  readonly topology: Topology
  /** Ed25519 over the bytes, base64. */
  readonly sign: (bytes: Uint8Array) => string
  /** CloudEvents source. */
  readonly source: string
}

/** Body of a record in the compacted topic `nodes`. */
export interface NodeRecord {
  readonly node: NodeId
  readonly pool: PoolId
  readonly class: string
  readonly zone: string | null
  readonly liveness: string
  readonly failed: boolean
  readonly health: number | null
  readonly probability: number | null
  readonly alarming: boolean
  readonly cordoned: boolean
  readonly maintenance: boolean
  readonly vetoed: boolean
  readonly incident: IncidentId | null
  readonly lastSeenAtMs: number
  readonly atMs: number
}

export type JournalLine = Pick<JournalEntry, 'kind' | 'pool' | 'reasons'> &
  Partial<Omit<JournalEntry, 'entryId' | 'atMs'>>

export class Outbox {
  readonly #options: OutboxOptions
  #outputs: Output[] = []
  #offset = -1
  #serial = 0
  #commandCount = 0
  #refusalCount = 0
  nowMs = 0
  /** Hears every line of the journal. */
  onJournal: (line: JournalLine) => void = () => undefined

  constructor(options: OutboxOptions) {
    this.#options = options
  }

  /** Of the record that is being folded. */
  get offset(): number {
    return this.#offset
  }

  /** Commands sent since the log began. */
  get commandCount(): number {
    return this.#commandCount
  }

  get refusalCount(): number {
    return this.#refusalCount
  }

  /** A command given out was kept back by the runtime and never reached the bus. */
  unsent(): void {
    this.#commandCount--
  }

  begin(offset: number): void {
    this.#offset = offset
    this.#serial = 0
    this.#outputs = []
  }

  take(): readonly Output[] {
    return this.#outputs
  }

  incidentId(pool: PoolId): IncidentId {
    return `${pool}.${this.#offset}.i${this.#serial++}` as IncidentId
  }

  /** `isReturn`: an incident's node may be let back more than once. */
  planId(incident: IncidentId, isReturn = false): PlanId {
    return `${incident}.${isReturn ? `return${this.#offset}` : 'plan'}` as PlanId
  }

  ballotId(pool: PoolId): BallotId {
    return `${pool}.${this.#offset}.b${this.#serial++}` as BallotId
  }

  commandId(pool: PoolId): CommandId {
    return `${pool}.${this.#offset}.c${this.#serial++}` as CommandId
  }

  command(command: Command): void {
    const { topology, source, sign } = this.#options
    const partition = partitionOf(command.node, topology.nodePartitions)
    const output = cloudEventOutput(
      topicName(topology, commandTopic(command.action)),
      partition,
      {
        type: `foreshock.command.${command.action}`,
        source,
        id: command.commandId,
        subject: command.node,
        atMs: this.nowMs,
      },
      command,
    )
    assert(typeof output.value === 'string', 'a command has a text to sign')
    const value = toBytes(output.value)
    this.#commandCount++
    this.#outputs.push({
      ...output,
      value,
      headers: { ...output.headers, signature: sign(value) },
      urgent: true,
    })
  }

  /** Signed like a command, because an agent follows it. */
  resync(block: ResyncBlock): void {
    const { topology, source, sign } = this.#options
    const { node, atMs } = block
    const event = { type: 'foreshock.resync.block', source, id: this.#id(), subject: node, atMs }
    const partition = partitionOf(node, topology.nodePartitions)
    const output = cloudEventOutput(topicName(topology, 'resync'), partition, event, block)
    assert(typeof output.value === 'string', 'a block has a text to sign')
    const value = toBytes(output.value)
    this.push({ ...output, value, headers: { ...output.headers, signature: sign(value) } })
  }

  journal(line: JournalLine): void {
    if (line.kind === 'refusal') this.#refusalCount++
    this.onJournal(line)
    const entryId = this.#id()
    const entry: JournalEntry = {
      incidentId: null,
      commandId: null,
      node: null,
      workload: null,
      rail: null,
      evidence: [],
      ...line,
      entryId,
      atMs: this.nowMs,
    }
    this.#event('journal', `foreshock.journal.${line.kind}`, entryId, line.node ?? line.pool, entry)
  }

  alert(alert: AlertRecord): void {
    const alertId = this.#id()
    const body: PublishedAlert = { alertId, atMs: this.nowMs, ...alert }
    this.#event('alerts', `foreshock.alert.${alert.kind}`, alertId, alert.node ?? alert.pool, body)
  }

  /** `partition`: that of the node. They come by the ten thousand. */
  node(record: NodeRecord, partition: number): void {
    const { topology, source } = this.#options
    this.#outputs.push(
      cloudEventOutput(
        topicName(topology, 'nodes'),
        partition,
        {
          type: 'foreshock.node.state',
          source,
          id: this.#id(),
          subject: record.node,
          atMs: record.atMs,
        },
        record,
      ),
    )
  }

  /** What was done for a predicted failure, for the watcher of the node and for recorded history. */
  intervention(kind: Intervention['kind'], node: NodeId): void {
    const { topology } = this.#options
    const partition = partitionOf(node, topology.nodePartitions)
    const body: Intervention = { kind, node, atMs: this.nowMs }
    this.push(logOutput(topicName(topology, 'node-log'), partition, 'intervention', node, body))
  }

  /** The node has left: compaction forgets it. */
  nodeGone(node: NodeId): void {
    const { topology } = this.#options
    const partition = partitionOf(node, topology.nodePartitions)
    this.push({ topic: topicName(topology, 'nodes'), partition, key: node, value: null })
  }

  /** They come by the ten thousand: what they share is made once. `bytes` are those of `key`. */
  assignments(): (key: string, bytes: Uint8Array, value: string) => void {
    const { topology, source } = this.#options
    const topic = topicName(topology, 'assignments')
    const type = 'foreshock.assignment.changed'
    const time = timeOf(this.nowMs)
    return (key, bytes, value) => {
      const id = this.#id()
      const partition = partitionOf(bytes, topology.nodePartitions)
      const headers = cloudEventHeaders({ type, source, id, subject: key }, time)
      this.#outputs.push({ topic, partition, key, value, headers })
    }
  }

  /** The shard is no more: compaction forgets it. */
  assignmentGone(key: string): void {
    const { topology } = this.#options
    const partition = partitionOf(key, topology.nodePartitions)
    this.push({ topic: topicName(topology, 'assignments'), partition, key, value: null })
  }

  paths(body: Omit<PublishedPaths, 'atMs'>): void {
    const { topology, source } = this.#options
    const { pool, from } = body
    const type = 'foreshock.paths.changed'
    const event = { type, source, id: this.#id(), subject: pathsKey(pool, from), atMs: this.nowMs }
    const partition = partitionOf(from, topology.nodePartitions)
    const topic = topicName(topology, 'paths')
    this.push(cloudEventOutput(topic, partition, event, { ...body, atMs: this.nowMs }))
  }

  /** The node has left: compaction forgets its ways. */
  pathsGone(pool: PoolId, node: NodeId): void {
    const { topology } = this.#options
    const partition = partitionOf(node, topology.nodePartitions)
    const key = pathsKey(pool, node)
    this.push({ topic: topicName(topology, 'paths'), partition, key, value: null })
  }

  /** A step of a driven clock has been folded. */
  done(step: number): void {
    const { topology, partition: poolPartition } = this.#options
    const body: ClockRecord = {
      kind: 'done',
      poolPartition,
      step,
      commandCount: this.#commandCount,
    }
    this.push({
      topic: topicName(topology, 'clock'),
      partition: poolPartition % partitionCount(topology, 'clock'),
      key: null,
      value: JSON.stringify(body),
    })
  }

  push(output: Output): void {
    this.#outputs.push(output)
  }

  #id(): string {
    return `${this.#options.partition}.${this.#offset}.${this.#serial++}`
  }

  #event(
    topic: 'journal' | 'alerts',
    type: string,
    id: string,
    subject: string,
    body: unknown,
  ): void {
    const { topology, source } = this.#options
    const partition = partitionOf(subject, topology.nodePartitions)
    const event = { type, source, id, subject, atMs: this.nowMs }
    this.#outputs.push(cloudEventOutput(topicName(topology, topic), partition, event, body))
  }
}
