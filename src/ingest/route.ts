/**
 * Public records in, records of the internal logs out: telemetry and events to the node's partition
 * of node-log, placements, results, controls and evidence to the pool's partition of pool-log, and what cannot
 * be read to the dead letters. Per node the order of the source partition is kept.
 */
import type { LogRecord, Output } from '../core/bus.ts'
import { assert } from '../core/errors.ts'
import { KIND, logOutput } from '../core/log.ts'
import type { PoolLogKind } from '../core/log.ts'
import type { NodeClass } from '../core/node.ts'
import { partitionOf } from '../core/partition.ts'
import { DAY_MS } from '../core/time.ts'
import { topicName } from '../core/topics.ts'
import type { Topology } from '../core/topics.ts'
import { StreamReader } from '../core/arrow-layout.ts'
import { decodeArrowSamples } from './arrow.ts'
import type { ArrowRows } from './arrow.ts'
import { decodeControl } from './controls.ts'
import { deadLetter } from './dead-letter.ts'
import { decodeNodeEvent } from './events.ts'
import { decodeEvidence } from './evidence.ts'
import { AT_MS_MAX, FUTURE_MS_MAX } from './field.ts'
import type { Field } from './field.ts'
import type { SampleContext } from './json.ts'
import { JsonDecoder } from './json-decoder.ts'
import { decodePlacement } from './placements.ts'
import { refuse } from './refusal.ts'
import type { Reason, Refusal } from './refusal.ts'
import { decodeResult } from './results.ts'
import { type TimeRange, SampleRouter } from './sample-router.ts'
import type { SampleRows } from './sample-rows.ts'
import { SampleBuilder } from './samples.ts'
import { decodeVote } from './votes.ts'

export const RECORD_BYTES_MAX_DEFAULT = 4_194_304
/** An older sample is history: its node would be owed a feature row for every interval since then. */
export const SAMPLE_AGE_MS_MAX_DEFAULT = 30 * DAY_MS

export interface IngestFoldOptions {
  readonly topology: Topology
  readonly nodeClasses: ReadonlyMap<string, NodeClass>
  /** Class of samples and joins that name none. */
  readonly defaultClass: string
  /** The partition that is read; the same of every input topic. */
  readonly source: number
  /** Format of telemetry whose content type says nothing. */
  readonly telemetryFormat?: 'json' | 'arrow'
  readonly recordBytesMax?: number
  /** foreshock.wasm: with it plain Arrow records are routed there, without it row by row. */
  readonly kernel?: WebAssembly.Module
  /** Of a sample under the arrival clock; a driven one takes any. */
  readonly sampleAgeMsMax?: number
}

interface PlainPath {
  readonly reader: StreamReader
  readonly router: SampleRouter
}

export class IngestFold {
  readonly #options: IngestFoldOptions
  readonly #recordBytesMax: number
  readonly #classes: readonly NodeClass[]
  readonly #json: JsonDecoder
  /** [node-log partition][class], made at the first row. */
  readonly #builders: (SampleBuilder | undefined)[][]
  /** Of plain Arrow records by class, made at the first one. */
  readonly #plain = new Map<NodeClass, PlainPath>()
  readonly #deadLetters = new Map<Reason, number>()
  readonly #counts = new Map<string, number>()
  #outputs: Output[] = []

  constructor(options: IngestFoldOptions) {
    this.#options = options
    this.#recordBytesMax = options.recordBytesMax ?? RECORD_BYTES_MAX_DEFAULT
    this.#classes = [...options.nodeClasses.values()]
    this.#json = new JsonDecoder(options.nodeClasses)
    this.#builders = Array.from({ length: options.topology.nodePartitions }, () => [])
    assert(options.nodeClasses.has(options.defaultClass), 'the default class is a known one')
  }

  /**
   * Takes one record of an input topic. `nowMs` is the log's: samples far ahead of it are refused.
   * Under a driven clock nothing is: records are published before the step that moves time to them.
   */
  take(record: LogRecord, nowMs: number): void {
    assert(record.partition === this.#options.source, 'a fold reads one partition')
    this.#count('records')
    if (record.value === null) {
      this.#count('tombstones')
    } else if (record.value.length > this.#recordBytesMax) {
      this.#refuse(record, tooLarge(record.value.length, this.#recordBytesMax))
    } else {
      const latestMs = this.#options.topology.clock === 'driven' ? Infinity : nowMs
      this.#route(record, record.value, latestMs)
    }
  }

  /** What the records taken since the last flush became, in the order in which it must be appended. */
  flush(): readonly Output[] {
    for (const partition of this.#builders.keys()) this.#closeBatches(partition)
    const outputs = this.#outputs
    this.#outputs = []
    return outputs
  }

  /** Records that went to the dead letters, by the reason of the first thing refused in each. */
  deadLetters(): ReadonlyMap<Reason, number> {
    return this.#deadLetters
  }

  /** `records`, `samples`, `events`, `unknownMetrics`, ... since the start. */
  counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  #route(record: LogRecord, value: Uint8Array, nowMs: number): void {
    const { prefix } = this.#options.topology
    const topic = record.topic.startsWith(prefix) ? record.topic.slice(prefix.length) : record.topic
    switch (topic) {
      case 'telemetry':
        return this.#takeSamples(record, value, nowMs)
      case 'events':
        return this.#takeEvent(record, value, nowMs)
      case 'placements':
        return this.#takeForPool(record, 'placement', decodePlacement(value))
      case 'results':
        return this.#takeForPool(record, 'result', decodeResult(value))
      case 'controls':
        return this.#takeForPool(record, 'control', decodeControl(value))
      case 'evidence': {
        const { appendedAtMs } = record
        return this.#takeForPool(record, 'evidence', decodeEvidence(value, { nowMs, appendedAtMs }))
      }
      case 'votes': {
        const { appendedAtMs } = record
        return this.#takeForPool(record, 'vote', decodeVote(value, { nowMs, appendedAtMs }))
      }
      default:
        throw new Error(`bug: ${record.topic} is no topic that ingest reads`)
    }
  }

  #takeSamples(record: LogRecord, value: Uint8Array, nowMs: number): void {
    const { nodeClasses, telemetryFormat } = this.#options
    const defaultClass = record.headers['class'] ?? this.#options.defaultClass
    const sampleAgeMsMax = this.#options.sampleAgeMsMax ?? SAMPLE_AGE_MS_MAX_DEFAULT
    const context: SampleContext = { nodeClasses, defaultClass, nowMs, sampleAgeMsMax }
    const format = formatOf(record.headers['content-type']) ?? telemetryFormat ?? 'json'
    if (format === 'arrow') {
      if (this.#takePlain(value, context, record.appendedAtMs)) return
      const decoded = decodeArrowSamples(value, context)
      if (!decoded.ok) return this.#refuse(record, decoded)
      for (const rows of decoded.batches) {
        this.#addRows(rows, decoded.nodeClass, record.appendedAtMs)
      }
      this.#count('unknownMetrics', decoded.unknownMetricCount)
      return this.#refuse(record, decoded.refused, decoded.refusedCount)
    }
    const decoded = this.#json.decode(value, context)
    if (!decoded.ok) return this.#refuse(record, decoded)
    this.#addSamples(decoded.rows, record.appendedAtMs)
    this.#count('samples', decoded.rows.count)
    this.#count('unknownMetrics', decoded.unknownMetricCount)
    this.#refuse(record, decoded.refused[0], decoded.refused.length)
  }

  /** False where something about the record is not plain; nothing of it was taken then. */
  #takePlain(value: Uint8Array, context: SampleContext, appendedAtMs: number): boolean {
    const { nodeClasses, defaultClass, nowMs, sampleAgeMsMax = Infinity } = context
    let nodeClass = nodeClasses.get(defaultClass)
    let layout = this.#plainPath(nodeClass)?.reader.read(value)
    const named = layout?.metadata.get('class') ?? defaultClass
    if (named !== defaultClass) {
      nodeClass = nodeClasses.get(named)
      layout = this.#plainPath(nodeClass)?.reader.read(value)
    }
    if (layout === undefined || nodeClass === undefined) return false
    const index = this.#classes.indexOf(nodeClass)
    const { router } = this.#plainPath(nodeClass)!
    const range: TimeRange = {
      oldestMs: Number.isFinite(nowMs) ? Math.max(0, nowMs - sampleAgeMsMax) : 0,
      latestMs: Math.min(AT_MS_MAX, nowMs + FUTURE_MS_MAX),
    }
    // Per node the order is kept: what was read row by row before comes first.
    for (const partition of this.#builders.keys()) this.#closeRows(partition, index)
    const close = (partition: number) => this.#closePlain(partition, index)
    if (!router.take(layout, range, appendedAtMs, close)) return false
    this.#count('samples', layout.rows)
    this.#count('unknownMetrics', layout.unknownColumns)
    return true
  }

  #plainPath(nodeClass: NodeClass | undefined): PlainPath | undefined {
    const { kernel, topology } = this.#options
    if (nodeClass === undefined || kernel === undefined) return undefined
    const known = this.#plain.get(nodeClass)
    if (known !== undefined) return known
    const path: PlainPath = {
      reader: new StreamReader(nodeClass.metrics.map(({ name }) => name)),
      router: new SampleRouter(kernel, nodeClass, topology.nodePartitions),
    }
    this.#plain.set(nodeClass, path)
    return path
  }

  #addSamples(rows: SampleRows, appendedAtMs: number): void {
    const { names, nameEnds, values } = rows
    for (let row = 0; row < rows.count; row++) {
      const [start, end] = [nameEnds[row], nameEnds[row + 1]]
      const builder = this.#builder(names.subarray(start, end), rows.nodeClasses[row])
      builder.append(names, start, end, rows.atMs[row], appendedAtMs)
      const [from, to] = [rows.valueStarts[row], rows.valueStarts[row + 1]]
      for (let at = from; at < to; at++) builder.set(at - from, values[at])
    }
  }

  #addRows(
    { count, ids, atMs, columns }: ArrowRows,
    nodeClass: NodeClass,
    appendedAtMs: number,
  ): void {
    let taken = 0
    for (let row = 0; row < count; row++) {
      if (Number.isNaN(atMs[row])) continue
      const [start, end] = [ids.starts[row], ids.ends[row]]
      const builder = this.#builder(ids.bytes.subarray(start, end), nodeClass)
      builder.append(ids.bytes, start, end, atMs[row], appendedAtMs)
      for (let metric = 0; metric < columns.length; metric++) {
        const column = columns[metric]
        if (column !== null) builder.set(metric, column[row])
      }
      taken += 1
    }
    this.#count('samples', taken)
  }

  /** With room for a row. */
  #builder(name: Uint8Array, nodeClass: NodeClass): SampleBuilder {
    const partition = partitionOf(name, this.#options.topology.nodePartitions)
    const index = this.#classes.indexOf(nodeClass)
    const builder = (this.#builders[partition][index] ??= new SampleBuilder(nodeClass))
    this.#closePlain(partition, index)
    if (builder.full) this.#closeRows(partition, index)
    return builder
  }

  #closeBatches(partition: number): void {
    for (const index of this.#classes.keys()) {
      this.#closeRows(partition, index)
      this.#closePlain(partition, index)
    }
  }

  #closeRows(partition: number, index: number): void {
    const builder = this.#builders[partition][index]
    if (builder === undefined || builder.count === 0) return
    this.#sendSamples(partition, index, builder.build())
  }

  #closePlain(partition: number, index: number): void {
    const router = this.#plain.get(this.#classes[index])?.router
    if (router === undefined || router.count(partition) === 0) return
    this.#sendSamples(partition, index, router.build(partition))
  }

  #sendSamples(partition: number, index: number, value: Uint8Array): void {
    this.#outputs.push({
      topic: topicName(this.#options.topology, 'node-log'),
      partition,
      key: null,
      value,
      headers: { [KIND]: 'samples', class: this.#classes[index].name },
    })
  }

  #takeEvent(record: LogRecord, value: Uint8Array, nowMs: number): void {
    const { topology, nodeClasses, defaultClass } = this.#options
    const { appendedAtMs, headers } = record
    const context = { nodeClasses, defaultClass, nowMs, appendedAtMs, headers }
    const event = decodeNodeEvent(value, context)
    if (!event.ok) return this.#refuse(record, event)
    const { node } = event.value
    const partition = partitionOf(node, topology.nodePartitions)
    // Samples read before the event must not come after it.
    this.#closeBatches(partition)
    const topic = topicName(topology, 'node-log')
    const output = logOutput(topic, partition, 'node-event', node, event.value)
    this.#outputs.push({
      ...output,
      headers: { ...output.headers, 'appended-at': String(appendedAtMs) },
    })
    this.#count('events')
  }

  /** Pool null is every pool, so every partition. */
  #takeForPool(
    record: LogRecord,
    kind: Extract<PoolLogKind, 'placement' | 'result' | 'control' | 'evidence' | 'vote'>,
    body: Field<{ readonly pool: string | null }>,
  ): void {
    if (!body.ok) return this.#refuse(record, body)
    const { topology } = this.#options
    const { pool } = body.value
    const partitions =
      pool === null
        ? Array.from({ length: topology.poolPartitions }, (_, index) => index)
        : [partitionOf(pool, topology.poolPartitions)]
    const topic = topicName(topology, 'pool-log')
    for (const partition of partitions) {
      this.#outputs.push(logOutput(topic, partition, kind, pool, body.value))
    }
    this.#count(kind === 'evidence' ? kind : `${kind}s`)
  }

  /** One dead letter a record, however many of its rows were refused. */
  #refuse(record: LogRecord, first: Refusal | undefined, count = 1): void {
    if (first === undefined) return
    this.#count('refused', count)
    this.#deadLetters.set(first.reason, (this.#deadLetters.get(first.reason) ?? 0) + 1)
    const topic = topicName(this.#options.topology, 'dead-letter')
    this.#outputs.push(deadLetter(topic, record, first, count))
  }

  #count(name: string, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by)
  }
}

function tooLarge(bytes: number, bytesMax: number): Refusal {
  return refuse(
    'too-large',
    `the record has ${bytes} bytes, more than the ${bytesMax} of ingest.record_bytes_max; send smaller ones`,
  )
}

function formatOf(contentType: string | undefined): 'json' | 'arrow' | undefined {
  if (contentType === undefined) return undefined
  if (contentType.startsWith('application/vnd.apache.arrow')) return 'arrow'
  return /json/.test(contentType) ? 'json' : undefined
}
