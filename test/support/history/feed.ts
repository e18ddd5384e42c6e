/**
 * A history as producers would publish it: keyed by node and in order per node, in records of any
 * size and in any order between partitions, one batch for each step of the driven clock.
 */
import type { Output } from '../../../src/core/bus.ts'
import type { NodeEvent } from '../../../src/core/node.ts'
import { partitionOf } from '../../../src/core/partition.ts'
import { topicName, type Topology } from '../../../src/core/topics.ts'
import type { World } from '../../../src/pipeline/driven-world.ts'
import { randomFrom } from '../../../training/boost.ts'
import type { ParityHistory, ParitySample } from './parity-history.ts'

export interface FeedStep {
  readonly atMs: number
  readonly outputs: readonly Output[]
}

export interface FeedOptions {
  readonly topology: Topology
  readonly histories: readonly ParityHistory[]
  /** Longest step of each history, ms; no longer than the prediction interval where nodes have peers. */
  readonly stepMs: readonly number[]
  /** Orders the partitions and sizes the records. */
  readonly seed: number
  readonly rowsPerRecordMax: number
}

/** A history as a world of even steps, each with whatever happens in it; it obeys no commands. */
export class HistoryWorld implements World {
  readonly startMs: number
  readonly stepMs: number
  readonly endMs: number
  readonly #steps: ReadonlyMap<number, readonly Output[]>

  /** `whole`: to the end of the step in which the history ends, else to the last step before it. */
  constructor(
    options: Omit<FeedOptions, 'histories' | 'stepMs'>,
    history: ParityHistory,
    stepMs: number,
    whole: boolean,
  ) {
    this.startMs = Math.floor(history.startMs / stepMs) * stepMs
    this.stepMs = stepMs
    this.endMs = (whole ? Math.ceil : Math.floor)(history.endMs / stepMs) * stepMs
    const count = (this.endMs - this.startMs) / stepMs
    const times = Array.from({ length: count }, (_, step) => this.startMs + (step + 1) * stepMs)
    const steps = stepsAt(options, history, times)
    this.#steps = new Map(steps.map(({ atMs, outputs }) => [atMs, outputs]))
  }

  step(nowMs: number): readonly Output[] {
    return this.#steps.get(nowMs) ?? []
  }

  take(): readonly Output[] {
    return []
  }
}

export function feedSteps(options: FeedOptions): readonly FeedStep[] {
  return options.histories.flatMap((history, i) =>
    stepsAt(options, history, stepTimes(history, options.stepMs[i])),
  )
}

function stepsAt(
  { topology, rowsPerRecordMax, seed }: Omit<FeedOptions, 'histories' | 'stepMs'>,
  history: ParityHistory,
  times: readonly number[],
): readonly FeedStep[] {
  const random = randomFrom(seed)
  const class_ = history.nodeClass.name
  const metrics = history.nodeClass.metrics.map(({ name }) => name)
  const samples = [...history.samples].sort((a, b) => a.publishAtMs - b.publishAtMs)
  const events = [...history.events].sort((a, b) => a.atMs - b.atMs)
  const steps: FeedStep[] = []
  let [nextSample, nextEvent] = [0, 0]
  for (const atMs of times) {
    const outputs: Output[] = []
    for (; (events[nextEvent]?.atMs ?? Infinity) <= atMs; nextEvent++) {
      outputs.push(eventOutput(topology, events[nextEvent]))
    }
    const due: ParitySample[] = []
    for (; (samples[nextSample]?.publishAtMs ?? Infinity) <= atMs; nextSample++) {
      due.push(samples[nextSample])
    }
    const records = partitions(topology, due).flatMap((list) =>
      chunks(list, rowsPerRecordMax, random).map((rows): Output => {
        const body = rows.map(({ node, atMs: at, values }) => ({
          node,
          at,
          class: class_,
          metrics: Object.fromEntries(metrics.map((name, m) => [name, values[m]])),
        }))
        const partition = partitionOf(rows[0].node, topology.nodePartitions)
        const topic = topicName(topology, 'telemetry')
        return { topic, partition, key: rows[0].node, value: JSON.stringify(body) }
      }),
    )
    steps.push({ atMs, outputs: [...outputs, ...interleaved(records, random)] })
  }
  return steps
}

/** Uneven: steps end also just before and at each event, so in no step a node reports and changes. */
function stepTimes({ startMs, endMs, events }: ParityHistory, stepMs: number): readonly number[] {
  const times = new Set<number>([endMs])
  for (const { atMs } of events) {
    times.add(atMs - 1)
    times.add(atMs)
  }
  for (let atMs = Math.ceil(startMs / stepMs) * stepMs; atMs < endMs; atMs += stepMs) {
    times.add(atMs)
  }
  return [...times].filter((atMs) => atMs >= startMs && atMs <= endMs).sort((a, b) => a - b)
}

function eventOutput(topology: Topology, event: NodeEvent): Output {
  return {
    topic: topicName(topology, 'events'),
    partition: partitionOf(event.node, topology.nodePartitions),
    key: event.node,
    value: JSON.stringify(event),
  }
}

function partitions(topology: Topology, samples: readonly ParitySample[]): ParitySample[][] {
  const lists = Array.from({ length: topology.nodePartitions }, (): ParitySample[] => [])
  for (const sample of samples) {
    lists[partitionOf(sample.node, topology.nodePartitions)].push(sample)
  }
  return lists
}

function chunks(
  rows: readonly ParitySample[],
  max: number,
  random: () => number,
): readonly (readonly ParitySample[])[] {
  const parts: (readonly ParitySample[])[] = []
  for (let from = 0; from < rows.length;) {
    const size = 1 + Math.floor(random() * max)
    parts.push(rows.slice(from, from + size))
    from += size
  }
  return parts
}

/** A random merge that keeps the order within each partition. */
function interleaved(records: readonly Output[], random: () => number): readonly Output[] {
  const queues = new Map<number, Output[]>()
  for (const record of records) {
    const queue = queues.get(record.partition)
    if (queue === undefined) queues.set(record.partition, [record])
    else queue.push(record)
  }
  const left = [...queues.values()]
  const merged: Output[] = []
  while (left.length > 0) {
    const at = Math.floor(random() * left.length)
    merged.push(left[at].shift()!)
    if (left[at].length === 0) left.splice(at, 1)
  }
  return merged
}
