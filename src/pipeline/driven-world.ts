/**
 * Runs a world on the driven clock: what happens in it goes to the public topics, time moves one
 * step, and the commands that the service sent in that step reach the world before the next.
 */
import type { Bus, LogRecord, Output, Reader } from '../core/bus.ts'
import { topicName, type Topology } from '../core/topics.ts'
import type { ClockDriver } from './clock-driver.ts'

const TAKE_WAIT_MS = 20
/** A command that the clock counted but the topic does not show within this was withheld by a stop. */
const COMMANDS_WAIT_MS = 2_000

export interface World {
  /** Everything that happens up to `nowMs`, and what executors report by then. */
  step(nowMs: number): readonly Output[]
  /** Hands over one record of a command topic. */
  take(record: LogRecord, nowMs: number): readonly Output[]
  /** Hands over one record of topic `resync`; absent: nobody answers. */
  answer?(record: LogRecord, nowMs: number): readonly Output[]
}

export interface DriveOptions {
  readonly bus: Bus
  readonly topology: Topology
  readonly driver: ClockDriver
  readonly world: World
  readonly startMs: number
  readonly stepMs: number
  /** Last time to reach; absent: until `signal`. */
  readonly endMs?: number
  readonly signal: AbortSignal
  /** Called after each step; it may wait to keep a pace. */
  readonly afterStep?: (nowMs: number) => Promise<void> | void
}

/** The time reached. It ends after a whole step, so a world is never left half-way. */
export async function driveWorld(options: DriveOptions): Promise<number> {
  const { bus, topology, driver, world, stepMs, signal } = options
  const commands = await CommandFeed.open(bus, topology)
  const blocks = world.answer === undefined ? null : await BlockFeed.open(bus, topology)
  let nowMs = options.startMs
  let handed: readonly Output[] = []
  try {
    while (!signal.aborted && nowMs + stepMs <= (options.endMs ?? Number.POSITIVE_INFINITY)) {
      nowMs += stepMs
      const outputs = [...handed, ...world.step(nowMs)]
      if (outputs.length > 0) await bus.produce(outputs)
      if (!(await driver.advance(nowMs, signal))) break
      const sent = await commands.upTo(driver.commandCount, bus)
      const asked = (await blocks?.upToNow()) ?? []
      handed = [
        ...sent.flatMap((record) => world.take(record, nowMs)),
        ...asked.flatMap((record) => world.answer!(record, nowMs)),
      ]
      await options.afterStep?.(nowMs)
    }
    if (handed.length > 0) await bus.produce(handed)
  } finally {
    await commands.close()
    await blocks?.close()
  }
  return nowMs
}

class CommandFeed {
  readonly #readers: readonly Reader[]
  #count = 0

  private constructor(readers: readonly Reader[]) {
    this.#readers = readers
  }

  static async open(bus: Bus, topology: Topology): Promise<CommandFeed> {
    const names = ['commands.migration', 'commands.recovery'] as const
    return new CommandFeed(
      await Promise.all(
        names.map((name) => bus.read({ topic: topicName(topology, name), from: 'start' })),
      ),
    )
  }

  async upTo(count: number, bus: Bus): Promise<readonly LogRecord[]> {
    const records: LogRecord[] = []
    const giveUpAtMs = bus.nowMs() + COMMANDS_WAIT_MS
    while (this.#count < count && bus.nowMs() < giveUpAtMs) {
      const taken = await Promise.all(this.#readers.map((reader) => reader.take(TAKE_WAIT_MS)))
      for (const record of taken.flat()) {
        records.push(record)
        this.#count++
      }
    }
    this.#count = Math.max(this.#count, count)
    return records
  }

  async close(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.close()))
  }
}

/** Blocks of resynchronisations: those of a step are committed with it, so what is there is all there is. */
class BlockFeed {
  readonly #bus: Bus
  readonly #topic: string
  readonly #reader: Reader

  private constructor(bus: Bus, topic: string, reader: Reader) {
    this.#bus = bus
    this.#topic = topic
    this.#reader = reader
  }

  static async open(bus: Bus, topology: Topology): Promise<BlockFeed> {
    const topic = topicName(topology, 'resync')
    return new BlockFeed(bus, topic, await bus.read({ topic, from: 'start' }))
  }

  async upToNow(): Promise<readonly LogRecord[]> {
    const ends = await this.#bus.ends(this.#topic)
    const records: LogRecord[] = []
    const giveUpAtMs = this.#bus.nowMs() + COMMANDS_WAIT_MS
    while (!this.#reader.reached(ends) && this.#bus.nowMs() < giveUpAtMs) {
      records.push(...(await this.#reader.take(TAKE_WAIT_MS)))
    }
    return records
  }

  async close(): Promise<void> {
    await this.#reader.close()
  }
}
