/** Executors whose every step waits for the test: a command moves on only when the gate lets it. */
import { Executor } from '../../src/agent/executor.ts'
import type { Bus, LogRecord, Output, Reader } from '../../src/core/bus.ts'
import { toText } from '../../src/core/bytes.ts'
import type { Command, CommandAction, Precondition } from '../../src/core/command.ts'
import type { ActionStart, ActionState } from '../../src/core/executor.ts'
import type { NodeId, WorkloadId } from '../../src/core/ids.ts'
import { topicName, type Topology } from '../../src/core/topics.ts'
import type { Placement } from '../../src/core/workload.ts'

const TAKE_WAIT_MS = 200

/** Where a command of a plan can be: each is reached by every command, in this order. */
export const PHASES = ['sent', 'accepted', 'started', 'succeeded', 'verified'] as const
export type Phase = (typeof PHASES)[number]

export interface GatedFleetOptions {
  readonly bus: Bus
  readonly topology: Topology
  readonly verify: (bytes: Uint8Array, signature: string) => boolean
  /** Called when a command has got so far; it goes no further before this ends. */
  readonly gate: (command: Command, phase: Phase) => Promise<void>
  /** What cannot be done, each time that it is tried. */
  readonly fails: (command: Command) => boolean
}

export class GatedFleet {
  readonly commands: Command[] = []
  readonly fenced = new Set<NodeId>()
  /** Idempotency keys of what took effect, once for each time, by the node of their command. */
  readonly effects: { readonly node: NodeId; readonly key: string | null }[] = []
  readonly #options: GatedFleetOptions
  readonly #executor: Executor
  readonly #placements = new Map<WorkloadId, Placement>()
  #stage: 'running' | 'succeeded' | 'verified' = 'running'
  #readers: readonly Reader[] = []
  #following: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(options: GatedFleetOptions) {
    const { topology, verify } = options
    this.#options = options
    const begin = (command: Command) => this.#begin(command)
    this.#executor = new Executor({
      topology,
      source: '/agents',
      verify,
      hooks: {
        fence: begin,
        restart: begin,
        recover: begin,
        promote: begin,
        migrate: begin,
        replicate: begin,
        cordon: begin,
        uncordon: begin,
        unmet: (precondition) => this.#unmet(precondition),
      },
    })
  }

  place(placement: Placement): void {
    this.#placements.set(placement.workload, placement)
  }

  nodeOf(workload: string): NodeId | null {
    return this.#placements.get(workload as WorkloadId)?.node ?? null
  }

  workloadsOn(node: string): readonly WorkloadId[] {
    const placements = [...this.#placements.values()]
    return placements.filter((each) => each.node === node).map(({ workload }) => workload)
  }

  async start(): Promise<void> {
    const { bus, topology } = this.#options
    this.#readers = await Promise.all(
      (['commands.migration', 'commands.recovery'] as const).map((name) =>
        bus.read({ topic: topicName(topology, name), from: 'start' }),
      ),
    )
    this.#following = this.#follow()
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#readers.map((reader) => reader.close()))
    await this.#following
  }

  /** One command after the other. */
  async #follow(): Promise<void> {
    while (!this.#closed) {
      for (const reader of this.#readers) {
        for (const record of await reader.take(TAKE_WAIT_MS)) await this.#carryOut(record)
      }
    }
  }

  async #carryOut(record: LogRecord): Promise<void> {
    const command = JSON.parse(toText(record.value!)) as Command
    const { bus, gate } = this.#options
    this.commands.push(command)
    this.#stage = 'running'
    await gate(command, 'sent')
    const [first, ...rest] = this.#executor.take(record, Date.now())
    await bus.produce([first])
    await gate(command, 'accepted')
    if (rest.length > 0) await bus.produce(rest)
    await gate(command, 'started')
    for (const stage of ['succeeded', 'verified'] as const) {
      this.#stage = stage
      const outputs: readonly Output[] = this.#executor.advance(Date.now())
      if (outputs.length > 0) await bus.produce(outputs)
      await gate(command, stage)
    }
  }

  #begin(command: Command): ActionStart {
    let told = false
    const poll = (): ActionState => {
      if (this.#stage === 'running') return { kind: 'running' }
      if (this.#options.fails(command)) return { kind: 'failed', detail: 'it cannot be done' }
      // A promotion may come before its fence, and takes no effect before it.
      if (command.precondition !== null && this.#unmet(command.precondition) !== null) {
        return { kind: 'running' }
      }
      if (told) return this.#stage === 'verified' ? { kind: 'verified' } : { kind: 'running' }
      told = true
      return { kind: 'succeeded', placement: this.#effect(command) }
    }
    return { ok: true, action: { poll, withdraw: () => false } }
  }

  #unmet({ kind, node }: Precondition): string | null {
    return kind === 'fenced' && !this.fenced.has(node) ? `node ${node} is not fenced` : null
  }

  #effect({ action, node, workload, target, idempotencyKey }: Command): Placement | null {
    this.effects.push({ node, key: idempotencyKey })
    if (action === 'fence') this.fenced.add(node)
    const moves: readonly CommandAction[] = ['recover', 'migrate', 'promote']
    const placement = workload === null ? undefined : this.#placements.get(workload)
    if (!moves.includes(action) || placement === undefined) return null
    const moved = { ...placement, node: target }
    this.place(moved)
    return moved
  }
}
