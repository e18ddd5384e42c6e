/** Telemetry as a fleet sends it: Arrow messages of 1,000 samples, one of every node each ten seconds. */
import {
  Field,
  Float64,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
} from 'apache-arrow'
import { TimestampMillisecond, Utf8, vectorFromArray } from 'apache-arrow'
import type { Output } from '../core/bus.ts'
import type { Metric, NodeClass } from '../core/node.ts'
import { topicName, type Topology } from '../core/topics.ts'

export const SAMPLES_PER_MESSAGE = 1_000
/** Node number → whether its sample is one of a node about to fail. */
export type Ill = (node: number) => boolean
const NOBODY: Ill = () => false

export const SAMPLE_INTERVAL_MS = 10_000

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
}

/** Message `group` holds the same thousand nodes each time, so that one partition has all of a node. */
export class TelemetryLoad {
  readonly groupCount: number
  readonly samplesPerMessage: number
  readonly #load: Load
  readonly #schema: Schema
  readonly #random: () => number

  constructor(load: Load) {
    this.samplesPerMessage = load.samplesPerMessage ?? SAMPLES_PER_MESSAGE
    this.groupCount = Math.max(1, Math.round(load.nodeCount / this.samplesPerMessage))
    this.#load = load
    this.#random = noise(load.seed)
    this.#schema = new Schema(
      [
        new Field('node', new Utf8(), false),
        new Field('at', new TimestampMillisecond(), false),
        ...load.nodeClass.metrics.map(({ name }) => new Field(name, new Float64(), true)),
      ],
      new Map([['class', load.nodeClass.name]]),
    )
  }

  message(group: number, atMs: number, ill: Ill = NOBODY): Output {
    const { topology } = this.#load
    return {
      topic: topicName(topology, 'telemetry'),
      partition: group % topology.nodePartitions,
      key: null,
      value: this.#value(group, atMs, ill),
      headers: { 'content-type': 'application/vnd.apache.arrow.stream' },
    }
  }

  /** The same samples, one a message. */
  jsonMessages(group: number, atMs: number): readonly Output[] {
    const { topology, nodeClass } = this.#load
    return Array.from({ length: this.samplesPerMessage }, (_, row) => {
      const name = group * this.samplesPerMessage + row
      const metrics = Object.fromEntries(
        nodeClass.metrics.map((metric, column) => [
          metric.name,
          usualValue(metric, name * 64 + column, this.#random()),
        ]),
      )
      return {
        topic: topicName(topology, 'telemetry'),
        partition: group % topology.nodePartitions,
        key: null,
        value: JSON.stringify({ node: nodeName(name), at: atMs, metrics }),
      }
    })
  }

  #value(group: number, atMs: number, ill: Ill): Uint8Array {
    const { nodeClass } = this.#load
    const length = this.samplesPerMessage
    const names = Array.from({ length }, (_, row) => nodeName(group * this.samplesPerMessage + row))
    const at = new BigInt64Array(length).fill(BigInt(atMs))
    const children = [
      vectorFromArray(names, new Utf8()).data[0],
      makeData({ type: new TimestampMillisecond(), length, nullCount: 0, data: at }),
      ...nodeClass.metrics.map((metric, column) => {
        const data = Float64Array.from({ length }, (_, row) => {
          const name = group * this.samplesPerMessage + row
          const value = usualValue(metric, name * 64 + column, this.#random())
          return ill(name) ? illValue(metric, value) : value
        })
        return makeData({ type: new Float64(), length, nullCount: 0, data })
      }),
    ]
    const struct = new Struct(this.#schema.fields)
    const data = makeData({ type: struct, length, nullCount: 0, children })
    const writer = new RecordBatchStreamWriter()
    writer.write(new RecordBatch(this.#schema, data))
    writer.finish()
    return writer.toUint8Array(true)
  }
}

/** Each node has a level of its own in the lower half of what is good, and moves a hundredth around it. */
function usualValue({ kind, min, max, health }: Metric, place: number, chance: number): number {
  const low = min ?? 0
  if (kind !== 'gauge' || health?.good === 0) return low
  const span = (health?.good ?? max ?? 1) - low
  const level = ((place * 2_654_435_761) >>> 0) / 2 ** 32
  return low + span * (0.2 + 0.3 * level + 0.01 * (chance - 0.5))
}

/** Hot, slow and full of errors, all at once. */
function illValue({ kind, max, health }: Metric, usual: number): number {
  if (kind !== 'gauge') return usual + 1_000
  return health === null ? usual : Math.min(max ?? Infinity, health.bad)
}
