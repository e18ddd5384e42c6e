/** What the outside world writes to the public topics: lives of nodes, placements and operators' words. */
import type { Output } from '../core/bus.ts'
import { cloudEventOutput } from '../core/cloudevent.ts'
import type { NodeClass } from '../core/node.ts'
import { partitionOf } from '../core/partition.ts'
import type { Control } from '../core/policy.ts'
import { type InputTopic, topicName, type Topology } from '../core/topics.ts'
import type { EvidenceRecord } from '../core/evidence.ts'
import type { NodeSpec } from '../fleet/inventory.ts'
import type { Cause } from './kinds.ts'

const SOURCE = '/world'

export class Publisher {
  readonly #topology: Topology
  readonly #nodeClass: NodeClass
  #count = 0

  constructor(topology: Topology, nodeClass: NodeClass) {
    this.#topology = topology
    this.#nodeClass = nodeClass
  }

  join({ id, pool, place, capacity }: NodeSpec, nowMs: number): Output {
    const labels = { pool }
    const body = { kind: 'join', node: id, at: nowMs, class: this.#nodeClass.name, pool, labels }
    return this.#event('events', 'event.join', id, nowMs, { ...body, place, capacity })
  }

  failure({ id }: NodeSpec, { failureKind }: Cause, atMs: number, nowMs: number): Output {
    const body = { kind: 'failure', node: id, at: atMs, failureKind }
    return this.#event('events', 'event.failure', id, nowMs, body)
  }

  maintenance({ id }: NodeSpec, untilMs: number, nowMs: number): Output {
    const body = { kind: 'maintenance', node: id, at: nowMs, until: untilMs }
    return this.#event('events', 'event.maintenance', id, nowMs, body)
  }

  evidence({ atMs, ...said }: EvidenceRecord, nowMs: number): Output {
    return this.#event('evidence', 'evidence', said.node, nowMs, { ...said, at: atMs })
  }

  control(control: Control, nowMs: number): Output {
    return this.#event('controls', `control.${control.kind}`, 'operator', nowMs, control)
  }

  #event(topic: InputTopic, type: string, subject: string, atMs: number, body: unknown): Output {
    const partition = partitionOf(subject, this.#topology.nodePartitions)
    const id = `${subject}/${type}/${this.#count++}`
    const event = { type: `foreshock.${type}`, source: SOURCE, id, subject, atMs }
    return cloudEventOutput(topicName(this.#topology, topic), partition, event, body)
  }
}
