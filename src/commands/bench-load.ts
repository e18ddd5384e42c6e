/**
 * Telemetry as a fleet sends it: Arrow messages of 1,000 samples, one of every node each ten seconds.
 *
 * It is cheap to make, because in a bench it is made beside what is measured: names are encoded once,
 * and chance comes from a table.
 */
import {
  type Data,
  Field,
  Float32,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
} from 'apache-arrow'
import { TimestampMillisecond, Utf8, vectorFromArray } from 'apache-arrow'
import type { Output } from '../core/bus.ts'
import { KIND } from '../core/log.ts'
import type { Metric, NodeClass } from '../core/node.ts'
import { partitionOf } from '../core/partition.ts'
import { topicName, type Topology } from '../core/topics.ts'
import { type ColumnBuffers, StreamTemplate } from '../core/stream-template.ts'
import { firstSamples } from '../ingest/samples.ts'

export const SAMPLES_PER_MESSAGE = 1_000
export const SAMPLE_INTERVAL_MS = 10_000
/** Prime, so that no node meets the same chances each round. */
const CHANCES = 65_521
/** What a metric moves by, as a share of its span. */
const UNREST_RATIO = 0.01

/** Node number → whether its sample is one of a node about to fail. */
export type Ill = (node: number) => boolean
const NOBODY: Ill = () => false

/**
 * `public`: telemetry for ingest. `direct`: records of the node-log, as a producer writes them that
 * partitions by node as we do; ingest has nothing to do then.
 */
export const LOAD_PATHS = ['public', 'direct'] as const
export type LoadPath = (typeof LOAD_PATHS)[number]

/** Deterministic noise, 0..1 (mulberry32). */
export function noise(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function nodeName(number: number): string {
  return `node-${number}`
}

export interface Load {
  readonly topology: Topology
  readonly nodeClass: NodeClass
  readonly nodeCount: number
  readonly seed: number
  readonly samplesPerMessage?: number
  /** Public when absent. */
  readonly path?: LoadPath
}

/** The nodes of one message. */
interface Group {
  readonly partition: number
  readonly numbers: Uint32Array
  readonly names: Data<Utf8>
}

/** Message `group` holds the same thousand nodes each time, so that one partition has all of a node. */
export class TelemetryLoad {
  readonly groupCount: number
  readonly samplesPerMessage: number
  readonly #load: Load
  readonly #groups: readonly Group[]
  /** The values of one message, a column a metric. */
  readonly #columns: readonly Float32Array[]
  /** Of records of the node-log, and of telemetry. */
  readonly #frame: StreamTemplate
  readonly #telemetryFrame: StreamTemplate
  readonly #chances: Float32Array
  #chance = 0

  constructor(load: Load) {
    const { nodeClass, path = 'public' } = load
    this.samplesPerMessage = load.samplesPerMessage ?? SAMPLES_PER_MESSAGE
    this.groupCount = Math.max(1, Math.round(load.nodeCount / this.samplesPerMessage))
    this.#load = load
    const { nodePartitions } = load.topology
    this.#groups =
      path === 'direct'
        ? groupsByPartition(this.groupCount, this.samplesPerMessage, nodePartitions)
        : groupsInOrder(this.groupCount, this.samplesPerMessage, nodePartitions)
    const random = noise(load.seed)
    this.#chances = Float32Array.from({ length: CHANCES }, random)
    this.#columns = nodeClass.metrics.map(() => new Float32Array(this.samplesPerMessage))
    this.#frame = new StreamTemplate(firstSamples(nodeClass, 4))
    this.#telemetryFrame = new StreamTemplate(firstTelemetry(nodeClass, this.#groups[0]))
  }

  /** Numbers of the nodes whose samples are in message `group`, in the order of its rows. */
  nodesOf(group: number): Uint32Array {
    return this.#groups[group].numbers
  }

  message(group: number, atMs: number, ill: Ill = NOBODY): Output {
    this.#fill(this.#groups[group].numbers, ill)
    return this.#load.path === 'direct'
      ? this.#record(this.#groups[group], atMs)
      : this.#telemetry(this.#groups[group], atMs)
  }

  /** The same samples, one a message. */
  jsonMessages(group: number, atMs: number): readonly Output[] {
    const { topology, nodeClass } = this.#load
    const { partition, numbers } = this.#groups[group]
    this.#fill(numbers, NOBODY)
    return Array.from(numbers, (number, row) => {
      const metrics = Object.fromEntries(
        nodeClass.metrics.map(({ name }, column) => [name, this.#columns[column][row]]),
      )
      return {
        topic: topicName(topology, 'telemetry'),
        partition,
        key: null,
        value: JSON.stringify({ node: nodeName(number), at: atMs, metrics }),
      }
    })
  }

  #telemetry(group: Group, atMs: number): Output {
    const at = bytesOf(timesOf(group, atMs))
    return {
      topic: topicName(this.#load.topology, 'telemetry'),
      partition: group.partition,
      key: null,
      value: this.#write(this.#telemetryFrame, group, [complete(at)]),
      headers: { 'content-type': 'application/vnd.apache.arrow.stream' },
    }
  }

  #record(group: Group, atMs: number): Output {
    const at = bytesOf(timesOf(group, atMs))
    return {
      topic: topicName(this.#load.topology, 'node-log'),
      partition: group.partition,
      key: null,
      value: this.#write(this.#frame, group, [complete(at), complete(at)]),
      headers: { [KIND]: 'samples', class: this.#load.nodeClass.name },
    }
  }

  #write(
    frame: StreamTemplate,
    { numbers: { length }, names }: Group,
    times: readonly ColumnBuffers[],
  ): Uint8Array {
    const texts = names.values.subarray(0, names.valueOffsets[length])
    return frame.write(length, [
      complete(bytesOf(names.valueOffsets, length + 1), texts),
      ...times,
      ...this.#columns.map((column) => complete(bytesOf(column, length))),
    ])
  }

  #fill(numbers: Uint32Array, ill: Ill): void {
    const { metrics } = this.#load.nodeClass
    for (const [column, metric] of metrics.entries()) {
      this.#fillUsual(this.#columns[column], metric, column, numbers)
    }
    for (let row = 0; row < numbers.length; row++) {
      if (!ill(numbers[row])) continue
      for (const [column, metric] of metrics.entries()) {
        this.#columns[column][row] = illValue(metric, this.#columns[column][row])
      }
    }
  }

  /** Each node has a level of its own in the lower half of what is good, and moves a hundredth around it. */
  #fillUsual(
    values: Float32Array,
    { kind, min, max, health }: Metric,
    column: number,
    numbers: Uint32Array,
  ): void {
    const low = min ?? 0
    if (kind !== 'gauge' || health?.good === 0) {
      values.fill(low)
      return
    }
    const span = (health?.good ?? max ?? 1) - low
    const base = low + span * (0.2 - 0.5 * UNREST_RATIO)
    for (let row = 0; row < numbers.length; row++) {
      const level = (Math.imul(numbers[row] * 64 + column, 2_654_435_761) >>> 0) / 2 ** 32
      this.#chance = this.#chance + 1 === CHANCES ? 0 : this.#chance + 1
      values[row] = base + span * (0.3 * level + UNREST_RATIO * this.#chances[this.#chance])
    }
  }
}

/** One sample of each node of a group, all zeros: what a library writes of telemetry. */
function firstTelemetry({ name, metrics }: NodeClass, { numbers, names }: Group): Uint8Array {
  const schema = new Schema(
    [
      new Field('node', new Utf8(), false),
      new Field('at', new TimestampMillisecond(), false),
      ...metrics.map((metric) => new Field(metric.name, new Float32(), true)),
    ],
    new Map([['class', name]]),
  )
  const { length } = numbers
  const columns = metrics.map(() =>
    makeData({ type: new Float32(), length, nullCount: 0, data: new Float32Array(length) }),
  )
  const at = new BigInt64Array(length)
  const children = [
    names,
    makeData({ type: new TimestampMillisecond(), length, nullCount: 0, data: at }),
    ...columns,
  ]
  const type = new Struct(schema.fields)
  const writer = new RecordBatchStreamWriter()
  writer.write(new RecordBatch(schema, makeData({ type, length, nullCount: 0, children })))
  writer.finish()
  return writer.toUint8Array(true)
}

function timesOf({ numbers: { length } }: Group, atMs: number): BigInt64Array {
  return new BigInt64Array(length).fill(BigInt(atMs))
}

function complete(...buffers: readonly Uint8Array[]): ColumnBuffers {
  return { nullCount: 0, buffers: [new Uint8Array(0), ...buffers] }
}

function bytesOf(
  values: BigInt64Array | Int32Array | Float32Array,
  length = values.length,
): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, length * values.BYTES_PER_ELEMENT)
}

/** Hot, slow and full of errors, all at once. */
function illValue({ kind, max, health }: Metric, usual: number): number {
  if (kind !== 'gauge') return usual + 1_000
  return health === null ? usual : Math.min(max ?? Infinity, health.bad)
}

/** As collectors send them: neighbours together, whatever their partition of the node-log. */
function groupsInOrder(groupCount: number, size: number, partitions: number): readonly Group[] {
  return Array.from({ length: groupCount }, (_, group) =>
    groupOf(
      group % partitions,
      Array.from({ length: size }, (_each, row) => group * size + row),
    ),
  )
}

/** Only nodes of one partition together, since a record of the node-log has one. */
function groupsByPartition(groupCount: number, size: number, partitions: number): readonly Group[] {
  const groups: Group[] = []
  const waiting: number[][] = Array.from({ length: partitions }, () => [])
  const open = Array.from({ length: partitions }, (_, partition) =>
    Math.ceil((groupCount - partition) / partitions),
  )
  for (let number = 0; groups.length < groupCount; number++) {
    const partition = partitionOf(nodeName(number), partitions)
    if (open[partition] <= 0) continue
    waiting[partition].push(number)
    if (waiting[partition].length < size) continue
    groups.push(groupOf(partition, waiting[partition]))
    waiting[partition] = []
    open[partition] -= 1
  }
  return groups
}

function groupOf(partition: number, numbers: readonly number[]): Group {
  const names = vectorFromArray(numbers.map(nodeName), new Utf8()).data[0]
  return { partition, numbers: Uint32Array.from(numbers), names }
}
