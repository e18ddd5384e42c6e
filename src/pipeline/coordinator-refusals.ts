/** What is said of a refusal: a line of the journal with the rail that refused, and alerts where a person is needed. */
import type { CommandAction } from '../core/command.ts'
import type { WorkloadId } from '../core/ids.ts'
import type { Policy } from '../core/policy.ts'
import type { Admission } from '../decide/admission.ts'
import { commandSentence } from '../decide/explain.ts'
import type { HoldOutDesk } from './coordinator-hold-out.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { ProposalDesk } from './coordinator-proposals.ts'
import type { Incident, PoolState } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'

export class RefusalDesk {
  readonly #outbox: Outbox
  readonly #proposals: ProposalDesk
  readonly #holdOuts: HoldOutDesk
  readonly #policyFor: (pool: PoolState) => Policy

  constructor(
    outbox: Outbox,
    proposals: ProposalDesk,
    holdOuts: HoldOutDesk,
    policyFor: (pool: PoolState) => Policy,
  ) {
    this.#outbox = outbox
    this.#proposals = proposals
    this.#holdOuts = holdOuts
    this.#policyFor = policyFor
  }

  journal(
    pool: PoolState,
    node: NodeState,
    incident: Incident | null,
    action: CommandAction,
    workload: WorkloadId | null,
    { rail, reason }: Extract<Admission, { ok: false }>,
  ): void {
    const what = commandSentence(action, workload, node.id, null)
    this.#outbox.journal({
      kind: 'refusal',
      rail,
      pool: pool.id,
      incidentId: incident?.id ?? null,
      node: node.id,
      workload,
      reasons: [`Not done: ${reason}.`, `It would be: ${what}`],
      evidence: [
        ...(incident?.evidence ?? []),
        ...(rail === 'hold-out' ? [this.#holdOuts.propensity] : []),
      ],
    })
  }

  alertAttempts(incident: Incident, reason: string): void {
    this.#outbox.alert({
      kind: 'attempts',
      pool: incident.node.pool,
      node: incident.node.id,
      severity: 'critical',
      message: `Node ${incident.node.id} needs a person: ${reason}.`,
      incidentId: incident.id,
    })
  }

  /** Once for each thing that is waited for: what was refused before is not told again. */
  alertApproval(pool: PoolState, incident: Incident): void {
    if ((pool.mode ?? this.#policyFor(pool).mode) !== 'approve') return
    const { node, id, reasons } = incident
    this.#proposals.propose(incident)
    this.#outbox.alert({
      kind: 'approval',
      pool: pool.id,
      node: node.id,
      severity: 'warning',
      message: `Incident ${id} waits for approval: ${reasons.join(' ')}`,
      incidentId: id,
    })
  }
}
