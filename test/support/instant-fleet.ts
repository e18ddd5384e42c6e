/** Executors without a fleet: every command is carried out at once, and counted. */
import { Executor } from '../../src/agent/executor.ts'
import type { Bus, LogRecord, Output, Reader } from '../../src/core/bus.ts'
import type { Command } from '../../src/core/command.ts'
import type { ActionStart, ActionState } from '../../src/core/executor.ts'
import type { NodeId, WorkloadId } from '../../src/core/ids.ts'
import { topicName, type Topology } from '../../src/core/topics.ts'
import type { Placement } from '../../src/core/workload.ts'

const TAKE_WAIT_MS = 200

export interface InstantFleetOptions {
  readonly bus: Bus
  readonly topology: Topology
  readonly verify: (bytes: Uint8Array, signature: string) => boolean
  /** What executors take for now. */
  readonly nowMs: () => number
}

export class InstantFleet {
  readonly fenced = new Set<NodeId>()
  /** How often each workload was recovered. */
  readonly recovered = new Map<WorkloadId, number>()
  readonly #options: InstantFleetOptions
  readonly #executor: Executor
  readonly #placements = new Map<WorkloadId, Placement>()
  #readers: readonly Reader[] = []
  #following: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(options: InstantFleetOptions) {
    const { topology, verify } = options
    this.#options = options
    this.#executor = new Executor({
      topology,
      source: '/agents',
      verify,
      hooks: {
        fence: (command) => {
          this.fenced.add(command.node)
          return done(null)
        },
        restart: (command) =>
          this.fenced.has(command.node) ? { ok: false, refused: 'fenced' } : done(null),
        recover: (command) => this.#move(command),
        promote: (command) => this.#move(command),
        migrate: (command) => this.#move(command),
        replicate: () => done(null),
        cordon: () => done(null),
        uncordon: () => done(null),
        unmet: (precondition) =>
          precondition.kind === 'fenced' && !this.fenced.has(precondition.node)
            ? `node ${precondition.node} is not fenced`
            : null,
      },
    })
  }

  counts(): ReturnType<Executor['counts']> {
    return this.#executor.counts()
  }

  /** From now on this workload may be moved. */
  place(placement: Placement): void {
    this.#placements.set(placement.workload, placement)
  }

  /** Hands over one record of a command topic; `start` does so by itself. */
  take(record: LogRecord, nowMs: number): readonly Output[] {
    return this.#executor.take(record, nowMs)
  }

  /** Follows the command topics until `close`. */
  async start(): Promise<void> {
    const { bus, topology } = this.#options
    this.#readers = await Promise.all(
      (['commands.migration', 'commands.recovery'] as const).map((name) =>
        bus.read({ topic: topicName(topology, name), from: 'start' }),
      ),
    )
    this.#following = Promise.all(this.#readers.map((reader) => this.#follow(reader)))
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#readers.map((reader) => reader.close()))
    await this.#following
  }

  async #follow(reader: Reader): Promise<void> {
    const { bus, nowMs } = this.#options
    while (!this.#closed) {
      const outputs: Output[] = []
      for (const record of await reader.take(TAKE_WAIT_MS)) {
        outputs.push(...this.take(record, nowMs()))
      }
      if (outputs.length > 0) await bus.produce(outputs)
    }
  }

  #move(command: Command): ActionStart {
    const placement = command.workload === null ? undefined : this.#placements.get(command.workload)
    if (placement === undefined) return { ok: false, refused: 'nothing is known of the workload' }
    if (command.action === 'recover') {
      this.recovered.set(placement.workload, (this.recovered.get(placement.workload) ?? 0) + 1)
    }
    const moved: Placement = { ...placement, node: command.target }
    this.place(moved)
    return done(moved)
  }
}

/** Over at the first look, and verified at the second. */
function done(placement: Placement | null): ActionStart {
  const states: ActionState[] = [{ kind: 'succeeded', placement }]
  return {
    ok: true,
    action: {
      poll: () => states.shift() ?? { kind: 'verified' },
      withdraw: () => false,
    },
  }
}
