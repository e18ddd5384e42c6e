/**
 * What the machines say of themselves, as the collectors deliver it: one Arrow record per partition and
 * beat, out of which single samples get lost, come twice, or come late.
 */
import type { Output } from '../core/bus.ts'
import { toBytes } from '../core/bytes.ts'
import type { Metric, NodeClass } from '../core/node.ts'
import { partitionOf } from '../core/partition.ts'
import { topicName, type Topology } from '../core/topics.ts'
import { Random } from '../fleet/random.ts'
import { SampleBuilder } from '../ingest/samples.ts'
import type { Faults } from './fault-file.ts'
import { CAUSES } from './kinds.ts'
import { isMute, type Machine } from './machines.ts'

/** The metric that the simulated model reads its probability from. */
export const WEAR = 'wear'
/** What shows that a node will crash, and why; the model reads these as well. */
export const SIGNS = CAUSES.map(({ metric }) => metric)

/** Where samples are rare, predictions are rarer. */
const BEATS_PER_PREDICTION = 5
const DISK_MS = 4
const LATENCY_MS = 2
const RESPONSE_MS = 40
const MEMORY_RATIO = 0.45
/** Where a leak ends: it is over before the kernel has to kill. */
const MEMORY_FULL_RATIO = 0.985

export function simulatedClass(heartbeatIntervalMs: number): NodeClass {
  return {
    name: 'server',
    metrics: [
      gauge('cpu_utilization'),
      gauge('memory_utilization', { health: { part: 'resources', good: 0.85, bad: 0.98 } }),
      milliseconds('disk_latency', { part: 'resources', good: 50, bad: 500 }),
      milliseconds('network_latency', { part: 'network', good: 20, bad: 200 }),
      milliseconds('response_time', { part: 'uptime', good: 500, bad: 5_000 }),
      ...SIGNS.map((sign) => gauge(sign)),
      gauge(WEAR),
    ],
    attributes: [],
    halfLivesMs: [60_000, 600_000, 3_600_000],
    heartbeatIntervalMs,
    detectionWindowMs: 6 * heartbeatIntervalMs,
    predictionIntervalMs: Math.max(60_000, BEATS_PER_PREDICTION * heartbeatIntervalMs),
    gridOrigin: 'epoch',
  }
}

function gauge(name: string, more: Partial<Metric> = {}): Metric {
  const bounds = { min: 0, max: 1 }
  return { name, unit: '1', kind: 'gauge', health: null, peers: false, ...bounds, ...more }
}

function milliseconds(name: string, health: Metric['health']): Metric {
  return gauge(name, { unit: 'ms', max: 600_000, health })
}

interface Late {
  readonly dueAtMs: number
  readonly partition: number
  readonly append: (builder: SampleBuilder) => void
}

export interface TelemetryOptions {
  readonly seed: number
  readonly topology: Topology
  readonly nodeClass: NodeClass
  readonly machines: readonly Machine[]
  readonly records: Faults['records']
}

/** Late samples kept; beyond them a late one is a lost one. */
const LATE_MAX = 100_000

export class Telemetry {
  sampleCount = 0
  readonly #options: TelemetryOptions
  readonly #random: Random
  readonly #names: readonly Uint8Array[]
  readonly #partitions: readonly number[]
  readonly #builders: readonly SampleBuilder[]
  readonly #lost: number
  readonly #repeated: number
  readonly #late: number
  #waiting: Late[] = []
  /** Of one sample; every call fills it anew. */
  readonly #row: number[] = []

  constructor(options: TelemetryOptions) {
    const { seed, topology, nodeClass, machines, records } = options
    this.#options = options
    this.#random = new Random(seed, 'telemetry')
    this.#names = machines.map(({ node }) => toBytes(node.spec.id))
    this.#partitions = this.#names.map((name) => partitionOf(name, topology.nodePartitions))
    this.#builders = Array.from(
      { length: topology.nodePartitions },
      () => new SampleBuilder(nodeClass),
    )
    const drawn = new Random(seed, 'faults/records')
    this.#lost = records === undefined ? 0 : drawn.between(records.lost)
    this.#repeated = records === undefined ? 0 : drawn.between(records.repeated)
    this.#late = records === undefined ? 0 : drawn.between(records.late)
  }

  /** Of the machines whose turn it is: every `phaseCount`th, from `phase` on. */
  beat(phase: number, phaseCount: number, nowMs: number): readonly Output[] {
    const outputs: Output[] = []
    const { machines } = this.#options
    const isPerfect = this.#lost + this.#repeated + this.#late === 0
    for (let index = phase; index < machines.length; index += phaseCount) {
      if (isMute(machines[index], nowMs)) continue
      if (isPerfect) this.#append(this.#builder(index, outputs), index, nowMs)
      else this.#send(index, nowMs, outputs)
    }
    this.#sendLate(nowMs, outputs)
    for (const partition of this.#builders.keys()) this.#close(partition, outputs)
    return outputs
  }

  #send(index: number, nowMs: number, outputs: Output[]): void {
    const random = this.#random
    if (random.chance(this.#lost)) return
    if (random.chance(this.#late)) {
      this.#delay(index, nowMs)
      return
    }
    this.#append(this.#builder(index, outputs), index, nowMs)
    if (random.chance(this.#repeated)) this.#append(this.#builder(index, outputs), index, nowMs)
  }

  /** What is late is what was measured, not what is so when it comes. */
  #delay(index: number, nowMs: number): void {
    if (this.#waiting.length >= LATE_MAX) return
    const values = [...this.#values(index, nowMs)]
    const atMs = nowMs + this.#options.machines[index].skewMs
    this.#waiting.push({
      dueAtMs: nowMs + Math.round(this.#random.logBetween(this.#options.records!.late_by)),
      partition: this.#partitions[index],
      append: (builder) => {
        const name = this.#names[index]
        builder.append(name, 0, name.length, atMs, atMs)
        for (const [metric, value] of values.entries()) builder.set(metric, value)
      },
    })
  }

  #sendLate(nowMs: number, outputs: Output[]): void {
    if (this.#waiting.length === 0) return
    const due = this.#waiting.filter(({ dueAtMs }) => dueAtMs <= nowMs)
    this.#waiting = this.#waiting.filter(({ dueAtMs }) => dueAtMs > nowMs)
    for (const { partition, append } of due) {
      if (this.#builders[partition].full) this.#close(partition, outputs)
      append(this.#builders[partition])
    }
  }

  #builder(index: number, outputs: Output[]): SampleBuilder {
    const partition = this.#partitions[index]
    if (this.#builders[partition].full) this.#close(partition, outputs)
    return this.#builders[partition]
  }

  #append(builder: SampleBuilder, index: number, nowMs: number): void {
    const name = this.#names[index]
    const atMs = nowMs + this.#options.machines[index].skewMs
    builder.append(name, 0, name.length, atMs, atMs)
    const values = this.#values(index, nowMs)
    for (let metric = 0; metric < values.length; metric++) builder.set(metric, values[metric])
  }

  /** In the order of the class's metrics. */
  #values(index: number, nowMs: number): readonly number[] {
    this.sampleCount++
    const machine = this.#options.machines[index]
    const noise = 0.9 + 0.2 * this.#random.ratio()
    const { ailments, wear, slandered } = machine
    const slowness = ailments.get('slow')?.size ?? 1
    const isWorn = wear !== null && nowMs <= wear.untilMs
    const sign = isWorn ? wear.cause.metric : null
    const values = this.#row
    values[0] = 0.4 * noise
    values[1] = memoryOf(machine, nowMs) + 0.02 * (noise - 1)
    values[2] = DISK_MS * slowness * noise
    values[3] = LATENCY_MS * (ailments.get('slow-network')?.size ?? 1) * noise
    values[4] = RESPONSE_MS * slowness * noise
    for (let i = 0; i < SIGNS.length; i++) {
      values[5 + i] = isWorn && SIGNS[i] === sign ? wornBy(wear, nowMs, noise) : USUAL * noise
    }
    values[5 + SIGNS.length] = slandered > 0 ? Math.min(1, 0.92 * noise + 0.05) : USUAL * noise
    return values
  }

  #close(partition: number, outputs: Output[]): void {
    const builder = this.#builders[partition]
    if (builder.count === 0) return
    const { topology, nodeClass } = this.#options
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
}

/** What the model says of a node that is well. */
const USUAL = 0.05

/** 0..1: what the simulated model will say. */
function wornBy(
  { sinceMs, untilMs }: NonNullable<Machine['wear']>,
  nowMs: number,
  noise: number,
): number {
  const progress = (nowMs - sinceMs) / Math.max(1, untilMs - sinceMs)
  return Math.min(1, (USUAL + 1.1 * progress) * noise)
}

function memoryOf({ ailments }: Machine, nowMs: number): number {
  const leak = ailments.get('memory-leak')
  if (leak === undefined) return MEMORY_RATIO
  const progress = (nowMs - leak.sinceMs) / Math.max(1, leak.size * (leak.untilMs - leak.sinceMs))
  return MEMORY_RATIO + (MEMORY_FULL_RATIO - MEMORY_RATIO) * Math.min(1, progress)
}
