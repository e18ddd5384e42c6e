/**
 * Tells the coordinator that decides about models what a prediction asked for, and what people overruled. An
 * incident counts once each way. A rehearsal, and what a pool only observes, asks for nothing.
 */
import { logOutput } from '../core/log.ts'
import { MODEL_POOL_PARTITION, type ProposalRecord } from '../core/model-life.ts'
import { topicName, type Topology } from '../core/topics.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { Incident } from './coordinator-state.ts'

export class ProposalDesk {
  readonly #topology: Topology
  readonly #outbox: Outbox

  constructor(topology: Topology, outbox: Outbox) {
    this.#topology = topology
    this.#outbox = outbox
  }

  /** People were asked, or a command was sent. */
  propose(incident: Incident): void {
    if (incident.cause !== 'predicted' || incident.node.model === null) return
    if (incident.proposedAtMs !== null) return
    incident.proposedAtMs = this.#outbox.nowMs
    this.#tell(incident, false)
  }

  /** People rejected it, took their approval back, or vetoed its node. */
  override(incident: Incident): void {
    if (incident.cause !== 'predicted' || incident.proposedAtMs === null) return
    if (incident.overridden) return
    incident.overridden = true
    this.#tell(incident, true)
  }

  #tell({ node, proposedAtMs }: Incident, overridden: boolean): void {
    const body: ProposalRecord = {
      nodeClass: node.class,
      pool: node.pool,
      proposedAtMs: proposedAtMs ?? this.#outbox.nowMs,
      overridden,
    }
    const topic = topicName(this.#topology, 'pool-log')
    this.#outbox.push(logOutput(topic, MODEL_POOL_PARTITION, 'model-proposal', node.class, body))
  }
}
