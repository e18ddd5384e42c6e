/**
 * The one driver of a driven clock: it publishes step k+1 only after every coordinator has
 * committed step k, so a history or a fleet can run as fast as the pipeline allows, and no
 * faster, and nothing expires by accident.
 */
import type { Bus, Reader } from '../core/bus.ts'
import { toText } from '../core/bytes.ts'
import { assert } from '../core/errors.ts'
import { type ClockRecord, KIND } from '../core/log.ts'
import { INPUT_TOPICS, partitionCount, topicName, type Topology } from '../core/topics.ts'

const WAIT_MS = 200

export class ClockDriver {
  readonly #bus: Bus
  readonly #topology: Topology
  readonly #topic: string
  readonly #done: number[]
  readonly #commandCounts: number[]
  #reader: Reader | null = null
  #step = 0

  constructor(bus: Bus, topology: Topology) {
    assert(topology.clock === 'driven', 'only a driven clock has a driver')
    this.#bus = bus
    this.#topology = topology
    this.#topic = topicName(topology, 'clock')
    this.#done = Array.from({ length: topology.poolPartitions }, () => 0)
    this.#commandCounts = [...this.#done]
  }

  /** Steps committed by every coordinator. */
  get step(): number {
    return this.#step
  }

  /** Commands sent by all coordinators up to the last committed step. */
  get commandCount(): number {
    return this.#commandCounts.reduce((sum, count) => sum + count, 0)
  }

  /**
   * Publishes the next step at `atMs` (later than the last) and waits until it is committed.
   * False when `signal` ended the wait.
   */
  async advance(atMs: number, signal: AbortSignal): Promise<boolean> {
    this.#reader ??= await this.#bus.read({ topic: this.#topic, from: 'start' })
    if (this.#step === 0) await this.#catchUp()
    const step = this.#step + 1
    await this.#publish(step, atMs)
    while (this.#done.some((done) => done < step)) {
      if (signal.aborted) return false
      this.#take(await this.#reader.take(WAIT_MS))
    }
    this.#step = step
    return true
  }

  async close(): Promise<void> {
    await this.#reader?.close()
  }

  async #publish(step: number, atMs: number): Promise<void> {
    const names = INPUT_TOPICS.filter((name) => name !== 'clock').map((name) =>
      topicName(this.#topology, name),
    )
    const ends = await Promise.all(names.map((name) => this.#bus.ends(name)))
    const until = Object.fromEntries(names.map((name, i) => [name, ends[i]]))
    const record: ClockRecord = { kind: 'step', step, atMs, until }
    const value = JSON.stringify(record)
    const partitions = partitionCount(this.#topology, 'clock')
    await this.#bus.produce(
      Array.from({ length: partitions }, (_, partition) => ({
        topic: this.#topic,
        partition,
        key: null,
        value,
        headers: { [KIND]: 'step' },
      })),
    )
  }

  /** A driver that takes over from another goes on with its count. */
  async #catchUp(): Promise<void> {
    const ends = await this.#bus.ends(this.#topic)
    let left = ends.reduce((sum, end) => sum + end, 0)
    const starts = await this.#bus.starts(this.#topic)
    left -= starts.reduce((sum, start) => sum + start, 0)
    let last = 0
    while (left > 0) {
      const records = await this.#reader!.take(WAIT_MS)
      if (records.length === 0) break
      left -= records.length
      for (const record of records) {
        const clock = JSON.parse(toText(record.value!)) as ClockRecord
        if (clock.kind === 'step') last = Math.max(last, clock.step)
      }
      this.#take(records)
    }
    this.#step = last
  }

  #take(records: readonly { readonly value: Uint8Array | null }[]): void {
    for (const { value } of records) {
      if (value === null) continue
      const clock = JSON.parse(toText(value)) as ClockRecord
      if (clock.kind !== 'done') continue
      this.#done[clock.poolPartition] = Math.max(this.#done[clock.poolPartition], clock.step)
      this.#commandCounts[clock.poolPartition] = clock.commandCount
    }
  }
}
