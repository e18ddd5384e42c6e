/** A fleet with a real executor whose signatures are always good, and commands to give it. */
import { Executor } from '../../src/agent/executor.ts'
import type { LogRecord, Output } from '../../src/core/bus.ts'
import { toBytes } from '../../src/core/bytes.ts'
import type { Command, CommandAction, Result } from '../../src/core/command.ts'
import type { CommandId, IncidentId, NodeId, PoolId, WorkloadId } from '../../src/core/ids.ts'
import type { Topology } from '../../src/core/topics.ts'
import type { Placement } from '../../src/core/workload.ts'
import type { FleetOptions } from '../../src/fleet/fleet.ts'
import { Fleet, STEP_MS } from '../../src/fleet/fleet.ts'
import { textOf } from './output.ts'

export const START_MS = 1_700_000_000_000

export const TOPOLOGY: Topology = {
  prefix: 'foreshock.',
  nodePartitions: 8,
  poolPartitions: 8,
  clock: 'driven',
  retentionMs: 3_600_000,
}

export class FleetWorld {
  readonly fleet: Fleet
  readonly outputs: Output[] = []
  nowMs = START_MS
  private commandCount = 0

  constructor(options: Partial<FleetOptions> = {}) {
    this.fleet = new Fleet({
      seed: 1,
      nodeCount: 60,
      topology: TOPOLOGY,
      startMs: START_MS,
      createExecutor: (hooks) =>
        new Executor({ topology: TOPOLOGY, source: '/test', verify: () => true, hooks }),
      ...options,
    })
    this.outputs.push(...this.fleet.step(START_MS))
  }

  steps(count: number): void {
    for (let i = 0; i < count; i++) {
      this.nowMs += STEP_MS
      this.outputs.push(...this.fleet.step(this.nowMs))
    }
  }

  /** Gives the command to the fleet and returns its id. */
  send(action: CommandAction, fields: Partial<Command> & { readonly node: NodeId }): CommandId {
    const command = createCommand(action, `c${++this.commandCount}`, {
      expiresAtMs: this.nowMs + 600_000,
      ...fields,
    })
    this.outputs.push(...this.fleet.handle([commandRecord(command)], this.nowMs))
    return command.commandId
  }

  states(commandId: CommandId): readonly string[] {
    return bodies<Result>(this.outputs, 'results')
      .filter((result) => result.commandId === commandId)
      .map(({ state }) => state)
  }
}

export function createCommand(
  action: CommandAction,
  commandId: string,
  fields: Partial<Command> = {},
): Command {
  return {
    commandId: commandId as CommandId,
    incidentId: 'i1' as IncidentId,
    planId: null,
    idempotencyKey: null,
    stepId: null,
    pool: 'europe' as PoolId,
    epoch: 1,
    action,
    node: 'n1' as NodeId,
    workload: null,
    target: null,
    capacityRatio: null,
    expiresAtMs: START_MS + 600_000,
    dryRun: false,
    reasons: ['a test asked for it'],
    precondition: null,
    modelVersion: null,
    policyVersion: 'test',
    ...fields,
  }
}

export function commandRecord(
  command: unknown,
  headers: Readonly<Record<string, string>> = { signature: 'good' },
): LogRecord {
  return {
    topic: 'foreshock.commands.migration',
    partition: 0,
    offset: 0,
    appendedAtMs: START_MS,
    key: null,
    value: toBytes(typeof command === 'string' ? command : JSON.stringify(command)),
    headers,
  }
}

/** The caller says what a topic holds; the tests are about what is in it. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
export function bodies<Body>(outputs: readonly Output[], topic: string): readonly Body[] {
  return outputs
    .filter((output) => output.topic === `foreshock.${topic}`)
    .map(({ value }) => JSON.parse(textOf(value)) as Body)
}

/** A workload without GPUs and a node of its pool that it can move to. */
export function movable(fleet: Fleet): { workload: WorkloadId; node: NodeId; target: NodeId } {
  const placements = fleet.placements()
  const [from] = placements.filter(({ pool }) => pool === 'europe')
  const others = new Set(placements.filter(({ pool }) => pool === 'europe').map(({ node }) => node))
  others.delete(from.node)
  for (const target of others) {
    if (fleet.obstacle(from.workload, target!) !== null) continue
    return { workload: from.workload, node: from.node!, target: target! }
  }
  throw new Error('no room in the test fleet')
}

/** Where each workload is, by what was published. */
export function published(outputs: readonly Output[]): ReadonlyMap<string, Placement> {
  return new Map(
    bodies<Placement>(outputs, 'placements').map((placement) => [placement.workload, placement]),
  )
}
