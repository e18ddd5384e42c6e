/**
 * The stop switch, checked out of band before every send: a file in the state directory and the
 * compacted `stop` topic. It works even when the log of the pool is late, and takes effect on
 * commands already decided but not yet sent.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Bus, Output, Reader } from '../core/bus.ts'
import { logOutput } from '../core/log.ts'
import { topicName, type Topology } from '../core/topics.ts'

export const STOP_FILE = 'STOP'
const WAIT_MS = 500
/** What a stop never holds back: it only undoes. */
const UNDOING = new Set(['foreshock.command.uncordon', 'foreshock.command.cancel'])

/** Body of a pool-log record `withheld`: commands that were decided but not sent. */
export interface Withheld {
  readonly commandIds: readonly string[]
  readonly reason: string
}

export class StopSwitch {
  readonly #topology: Topology
  readonly #file: string
  readonly #topic: string
  readonly #keys = new Map<string, string>()
  #reader: Reader | null = null
  #reading: Promise<void> | null = null

  constructor(topology: Topology, stateDirectory: string) {
    this.#topology = topology
    this.#file = join(stateDirectory, STOP_FILE)
    this.#topic = topicName(topology, 'stop')
  }

  /** Follows the stop topic until `close`. */
  async start(bus: Bus): Promise<void> {
    const reader = await bus.read({ topic: this.#topic, from: 'start' })
    this.#reader = reader
    this.#reading = this.#follow(reader)
  }

  /** Why nothing is sent now, or `null`. */
  reason(): string | null {
    if (existsSync(this.#file)) return `the file ${STOP_FILE} is in the state directory`
    for (const [key, reason] of this.#keys) return `stop topic, key ${key}: ${reason}`
    return null
  }

  /** Takes commands out of what a coordinator is about to send, and records that it did. */
  guard(partition: number, outputs: readonly Output[]): readonly Output[] {
    const reason = this.reason()
    if (reason === null) return outputs
    const held = outputs.filter((output) => this.#isHeld(output))
    if (held.length === 0) return outputs
    const withheld: Withheld = { commandIds: held.map((o) => o.headers!['ce_id']), reason }
    const topic = topicName(this.#topology, 'pool-log')
    return [
      ...outputs.filter((output) => !held.includes(output)),
      logOutput(topic, partition, 'withheld', null, withheld),
    ]
  }

  async close(): Promise<void> {
    const reader = this.#reader
    this.#reader = null
    await reader?.close()
    await this.#reading
  }

  #isHeld({ topic, headers }: Output): boolean {
    const isCommand =
      topic === topicName(this.#topology, 'commands.migration') ||
      topic === topicName(this.#topology, 'commands.recovery')
    return isCommand && !UNDOING.has(headers?.['ce_type'] ?? '')
  }

  async #follow(reader: Reader): Promise<void> {
    while (this.#reader === reader) {
      for (const { key, value } of await reader.take(WAIT_MS)) {
        const name = key === null ? 'all' : new TextDecoder().decode(key)
        if (value === null) this.#keys.delete(name)
        else this.#keys.set(name, new TextDecoder().decode(value))
      }
    }
  }
}
