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
  let nowMs = options.startMs
  let handed: readonly Output[] = []
  try {
    while (!signal.aborted && nowMs + stepMs <= (options.endMs ?? Number.POSITIVE_INFINITY)) {
      nowMs += stepMs
      const outputs = [...handed, ...world.step(nowMs)]
      if (outputs.length > 0) await bus.produce(outputs)
      if (!(await driver.advance(nowMs, signal))) break
      const sent = await commands.upTo(driver.commandCount, bus)
      handed = sent.flatMap((record) => world.take(record, nowMs))
      await options.afterStep?.(nowMs)
    }
    if (handed.length > 0) await bus.produce(handed)
  } finally {
    await commands.close()
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
