/**
 * What stands between the fleet's nodes and the topics while the network is split: commands wait for nodes that
 * they do not reach, and each node's agent knows what runs there, so that it finds back to the log afterwards.
 */
import type { LogRecord, Output } from '../core/bus.ts'
import { toText } from '../core/bytes.ts'
import type { NodeId } from '../core/ids.ts'
import { jsonObjectOf } from '../core/json-object.ts'
import type { ResyncAgent } from '../core/resync.ts'
import type { Placement } from '../core/workload.ts'
import type { Cluster, ClusterNode } from './cluster.ts'
import type { FleetNetwork } from './network.ts'

/** Commands that wait for the end of a split; of more the oldest are lost, which are the first to expire. */
const WAITING_MAX = 4_096

export interface AgentsOptions {
  readonly cluster: Cluster
  readonly network: FleetNetwork
  readonly createAgent: (node: NodeId) => ResyncAgent
}

interface Waiting {
  readonly record: LogRecord
  readonly nodes: readonly ClusterNode[]
  readonly incident: unknown
}

export class FleetAgents {
  readonly #options: AgentsOptions
  readonly #agents = new Map<NodeId, ResyncAgent>()
  #waiting: Waiting[] = []
  #answerCount = 0

  constructor(options: AgentsOptions) {
    this.#options = options
    for (const node of options.cluster.nodes) this.begin(node)
  }

  /** Blocks that were answered. */
  get answerCount(): number {
    return this.#answerCount
  }

  /** An agent begins: it looks at what runs, and remembers nothing else. */
  begin({ spec: { id }, workloads }: ClusterNode): void {
    const { createAgent, cluster } = this.#options
    const agent = createAgent(id)
    for (const workload of workloads) agent.note(cluster.placement(workload)!)
    this.#agents.set(id, agent)
  }

  /** A workload has come or gone: the agents of both ends see it, where they run. */
  note(placement: Placement, before: NodeId | null): void {
    for (const id of new Set([before, placement.node])) {
      if (id !== null && this.#options.cluster.node(id)?.up === true) {
        this.#agents.get(id)!.note(placement)
      }
    }
  }

  /** Records of command topics that reach those who carry them out; the others are kept. */
  reached(records: readonly LogRecord[]): readonly LogRecord[] {
    return records.filter((record) => {
      const waiting = this.#waitingOf(record)
      const { nodes, incident } = waiting
      // A cancel must not overtake what it is about.
      const isBehind = this.#waiting.some((other) => other.incident === incident)
      if (!isBehind && !nodes.some((node) => this.#options.network.isApart(node))) return true
      this.#waiting.push(waiting)
      if (this.#waiting.length > WAITING_MAX) this.#waiting.shift()
      return false
    })
  }

  /** What was kept from nodes that are reached again, in the order in which it came. */
  released(): readonly LogRecord[] {
    if (this.#waiting.length === 0) return []
    const kept = this.#waiting
    this.#waiting = []
    return this.reached(kept.map(({ record }) => record))
  }

  /** A block of a resynchronisation: nobody answers for a node that is down or cut off. */
  take(record: LogRecord, nowMs: number): readonly Output[] {
    const { cluster, network } = this.#options
    const id = record.key === null ? null : (toText(record.key) as NodeId)
    const node = id === null ? undefined : cluster.node(id)
    if (node === undefined || !node.up || network.isApart(node)) return []
    const outputs = this.#agents.get(node.spec.id)!.take(record, nowMs)
    if (outputs.length > 0) this.#answerCount++
    return outputs
  }

  /** What says nothing of nodes goes on to the executor, which says what is wrong with it. */
  #waitingOf(record: LogRecord): Waiting {
    const fields = jsonObjectOf(record.value) ?? {}
    const nodes = actorsOf(fields).flatMap((id) => {
      return typeof id === 'string' ? (this.#options.cluster.node(id as NodeId) ?? []) : []
    })
    return { record, nodes, incident: fields['incidentId'] }
  }
}

/** Whose agents carry it out. A power controller has a network of its own. */
function actorsOf({ action, node, target }: Record<string, unknown>): readonly unknown[] {
  if (action === 'fence') return []
  return action === 'recover' || action === 'promote' ? [target] : [node, target]
}
