/** The processes of the service in a simulated world: started, killed at any moment, and started again. */
import type { SimulatedBroker } from '../bus/simulated/simulated-bus.ts'
import { groupName } from '../pipeline/role.ts'
import { type Process, type ProcessOptions, startProcess } from './process.ts'
import { Stall } from './stall.ts'

/** The group waits so long for a process that is dead. */
const SESSION_MS = 6_000
const ROLES = ['ingest', 'watcher', 'coordinator'] as const

export interface ProcessesOptions extends Omit<ProcessOptions, 'bus' | 'events' | 'stall'> {
  readonly broker: SimulatedBroker
  readonly broken: (what: string) => void
}

export class Processes {
  killCount = 0
  /** Expected troubles: partitions that are claimed again. */
  troubleCount = 0
  readonly #options: ProcessesOptions
  readonly #alive = new Map<string, Process>()
  readonly #stall = new Stall()
  #names = 0

  constructor(options: ProcessesOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { broker, broken } = this.#options
    const name = `process-${this.#names++}`
    const process = await startProcess({
      ...this.#options,
      bus: broker.open(name),
      stall: this.#stall,
      events: {
        trouble: () => void this.troubleCount++,
        bug: (role, partition, error) => {
          const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
          broken(`the ${role} of partition ${partition} has a bug: ${text}`)
        },
      },
    })
    this.#alive.set(name, process)
  }

  /** The oldest dies, whatever it is doing, and another takes its place. */
  kill(backAfterMs: number): void {
    const { broker } = this.#options
    const name = this.#alive.keys().next().value
    if (name === undefined) return
    this.#alive.delete(name)
    this.killCount++
    broker.crash(name, SESSION_MS)
    broker.clock.after(backAfterMs, () => void this.start())
  }

  /** Whatever ingests hangs. */
  stall(ms: number): void {
    const { clock } = this.#options.broker
    this.#stall.begin(ms, (waitMs, callback) => void clock.after(waitMs, callback))
  }

  /** The broker thinks an owner dead, which lives on and is not told. */
  expire(draw: number): void {
    const { broker, topology } = this.#options
    const role = ROLES[Math.floor(draw * ROLES.length)]
    const count = role === 'coordinator' ? topology.poolPartitions : topology.nodePartitions
    const partition = Math.floor(draw * ROLES.length * count) % count
    broker.expireOwner(groupName(topology, role), partition)
  }

  /** Figures of the coordinators that are restored, by partition. */
  coordinators(): ReadonlyMap<number, Readonly<Record<string, number>>> {
    const figures = new Map<number, Readonly<Record<string, number>>>()
    for (const { coordinator } of this.#alive.values()) {
      const stats = coordinator.stats()
      for (const partition of coordinator.readyPartitions()) {
        const own = stats.get(partition)
        if (own !== undefined) figures.set(partition, own)
      }
    }
    return figures
  }
}
