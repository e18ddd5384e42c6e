/** Commands from the moment they are sent until they are over: results, expiry, withdrawal. */
import type { Command, CommandAction, Result } from '../core/command.ts'
import { assert, never } from '../core/errors.ts'
import type { CommandId, NodeId, WorkloadId } from '../core/ids.ts'
import type { Policy } from '../core/policy.ts'
import { laneOf } from '../decide/admission.ts'
import { isCare } from '../recover/plan.ts'
import {
  idempotencyKeyOf,
  movedBy,
  nextStepState,
  preconditionOf,
  type Step,
  STEP_RULES,
  type StepEvent,
} from '../recover/step.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { ProposalDesk } from './coordinator-proposals.ts'
import type { ReturnDesk } from './coordinator-returns.ts'
import {
  type CoordinatorState,
  FINISHED_COMMANDS_MAX,
  FREED,
  type Flight,
  type Incident,
  type PoolState,
} from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'

/** A result may be under way when a command's time is up: it is believed dead only this much later. */
export const EXPIRY_GRACE_MS = 10_000

/** Body of a record of kind `withheld`. */
export interface WithheldRecord {
  readonly commandIds: readonly CommandId[]
  readonly reason: string
}

export class CommandDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #policyFor: (pool: PoolState) => Policy
  readonly #proposals: ProposalDesk
  readonly #returns: ReturnDesk
  #unknownResultCount = 0

  constructor(
    state: CoordinatorState,
    outbox: Outbox,
    proposals: ProposalDesk,
    returns: ReturnDesk,
    policyFor: (pool: PoolState) => Policy,
  ) {
    this.#state = state
    this.#outbox = outbox
    this.#proposals = proposals
    this.#returns = returns
    this.#policyFor = policyFor
  }

  get unknownResultCount(): number {
    return this.#unknownResultCount
  }

  /** Sends the next command of a step that admission let through, with its journal line. */
  send(incident: Incident, step: Step, target: NodeId | null, reasons: readonly string[]): void {
    const { node } = incident
    const command = this.#compose(incident, step.action, step.workload, target, {
      stepId: step.stepId,
      idempotencyKey: idempotencyKeyOf(incident.planId, step),
      reasons,
      precondition: preconditionOf(step, node.id),
    })
    this.#launch(incident, command)
    const { commandId } = command
    const state = nextStepState(step.state, 'send')
    assert(state !== undefined, `step ${step.stepId} is ${step.state} and cannot be sent`)
    const attempts = step.attempts + 1
    const freeAtMs = step.freeAtMs ?? this.#outbox.nowMs
    incident.steps.set(step.stepId, { ...step, state, attempts, commandId, freeAtMs })
    // A standby has its room already.
    if (command.workload !== null && target !== null && step.action !== 'promote') {
      this.#state.ledger.reserve(command.workload, target)
    }
    if (laneOf(step.action) !== 'preemptive' || isCare(incident.cause)) return
    this.#noteActed(incident, command.dryRun)
    if (!command.dryRun) this.#proposals.propose(incident)
  }

  #noteActed({ id, node }: Incident, dryRun: boolean): void {
    const { nowMs } = this.#outbox
    const same = node.acted?.incidentId === id ? node.acted : null
    const firstAtMs = same?.firstAtMs ?? (dryRun ? null : nowMs)
    node.acted = { incidentId: id, firstAtMs, lastAtMs: nowMs }
  }

  #compose(
    { id, planId, node, share }: Incident,
    action: CommandAction,
    workload: WorkloadId | null,
    target: NodeId | null,
    more: Pick<Command, 'stepId' | 'idempotencyKey' | 'reasons' | 'precondition'>,
  ): Command {
    const policy = this.#policyFor(this.#state.pool(node.pool))
    return {
      commandId: this.#outbox.commandId(node.pool),
      incidentId: id,
      planId,
      stepId: more.stepId,
      idempotencyKey: more.idempotencyKey,
      pool: node.pool,
      epoch: this.#state.epoch,
      action,
      node: node.id,
      workload,
      target,
      capacityRatio: action === 'uncordon' ? share : null,
      ...(action === 'replicate' ? { replicas: this.#state.wrongReplicasOf(node.id) } : {}),
      expiresAtMs: this.#outbox.nowMs + policy.commandTtlMs,
      dryRun: policy.dryRun,
      reasons: more.reasons,
      precondition: more.precondition,
      modelVersion: node.model?.version ?? null,
      policyVersion: policy.version,
    }
  }

  #launch(incident: Incident, command: Command): void {
    const pool = this.#state.pool(command.pool)
    const lane = laneOf(command.action)
    pool.flights.set(command.commandId, {
      command,
      incident,
      stepId: command.stepId,
      lane,
      deadlineMs: command.expiresAtMs + EXPIRY_GRACE_MS,
      withdrawn: false,
    })
    pool.dueMs = Math.min(pool.dueMs, command.expiresAtMs + EXPIRY_GRACE_MS)
    pool.repairs.begin(lane, command.node)
    if (command.workload !== null && lane !== 'release') {
      pool.flightOf.set(command.workload, command.commandId)
    }
    this.#outbox.journal({
      kind: 'decision',
      pool: pool.id,
      incidentId: command.incidentId,
      commandId: command.commandId,
      node: command.node,
      workload: command.workload,
      reasons: command.reasons,
      evidence: incident.evidence,
    })
    this.#outbox.command(command)
  }

  /** Takes the executor's word. What comes twice, late or from nowhere changes nothing. */
  take(pool: PoolState, result: Result): void {
    const flight = pool.flights.get(result.commandId) ?? pool.finished.get(result.commandId)
    if (flight === undefined) {
      this.#unknownResultCount++
      return
    }
    if (result.state !== 'progress') this.#journalResult(pool, flight, result)
    if (!pool.flights.has(result.commandId)) {
      if (result.state === 'verified') this.#move(flight, 'verified')
      this.#state.publish(flight.incident.node)
      this.#state.stirIncident(flight.incident)
      return
    }
    const policy = this.#policyFor(pool)
    flight.deadlineMs = this.#outbox.nowMs + policy.commandTtlMs + EXPIRY_GRACE_MS
    this.#apply(pool, flight, result)
    if (flight.stepId === 'uncordon') this.#state.stirIncident(flight.incident)
  }

  #apply(pool: PoolState, flight: Flight, { state }: Result): void {
    const { action, dryRun } = flight.command
    if (action === 'cancel') {
      if (state === 'verified' || state === 'failed' || state === 'rejected')
        this.#end(pool, flight)
      return
    }
    const failed = state === 'failed' || state === 'rejected'
    // What took effect before it could be taken back has failed like any other.
    const isUndone = flight.withdrawn && this.#stepOf(flight)?.state !== 'succeeded'
    if (failed && isUndone) this.#undo(pool, flight, 'withdrawn')
    else if (dryRun && state === 'accepted') this.#finish(pool, flight, 'rehearsed')
    else if (failed || state === 'verified') this.#finish(pool, flight, state)
    else if (state === STEP_RULES[action].verification) {
      this.#finish(pool, flight, state)
    } else this.#move(flight, state)
  }

  /** A command that is over, with what its step makes of it. */
  #finish(pool: PoolState, flight: Flight, event: StepEvent): void {
    this.#move(flight, event)
    this.#end(pool, flight)
    const { action, workload } = flight.command
    const done = event === 'verified' || event === 'succeeded'
    if (done) {
      this.#noteMoved(flight)
      this.#noteCordon(pool, flight)
    }
    // After a move the room stays reserved until the placement says where the workload is.
    if (!done && workload !== null) this.#state.ledger.unreserve(workload)
    if (action !== 'cancel') this.#state.touch(flight.incident.node)
  }

  /** What keeps a predicted failure from work keeps its label from being known. */
  #noteMoved({ command, incident }: Flight): void {
    const { id, cordonedBy } = incident.node
    if (isCare(incident.cause)) return
    switch (command.action) {
      case 'cordon':
        return this.#outbox.intervention('moved', id)
      case 'uncordon':
        if (this.#returns.returned(incident.node, command.incidentId, command.capacityRatio ?? 1))
          return
        return this.#outbox.intervention('returned', id)
      case 'migrate':
      case 'restart':
        // Off and on again at once, unless the node is kept from work already.
        if (cordonedBy !== null) return
        this.#outbox.intervention('moved', id)
        return this.#outbox.intervention('returned', id)
      case 'recover':
      case 'promote':
      case 'fence':
      case 'replicate':
      case 'cancel':
        return
      default:
        never(command.action)
    }
  }

  #noteCordon({ repairs }: PoolState, { command, incident }: Flight): void {
    const { node } = incident
    if (command.action === 'cordon') repairs.shield(node.id)
    if (command.action === 'uncordon' || command.action === 'fence') repairs.unshield(node.id)
    if (command.action === 'cordon' || command.action === 'fence') {
      node.cordonedBy = incident.id
      // It may have been told late that it was let back; what is carried out late ends no return.
      if (node.incident !== null) this.#returns.withdraw(node, 'It is kept from work again.')
    }
    if (command.action === 'uncordon') node.cordonedBy = null
  }

  /** The command had no effect: as if the step had never been sent. */
  #undo(pool: PoolState, flight: Flight, event: 'kept-back' | 'withdrawn'): void {
    this.#end(pool, flight)
    const { incident, command, stepId } = flight
    if (command.workload !== null) this.#state.ledger.unreserve(command.workload)
    const step = stepId === null ? undefined : incident.steps.get(stepId)
    if (step === undefined || step.commandId !== command.commandId) return
    const state = nextStepState(step.state, event) ?? step.state
    incident.steps.set(step.stepId, { ...step, state, attempts: step.attempts - 1 })
    const untouched = [...incident.steps.values()].every(({ attempts }) => attempts === 0)
    const { node } = incident
    if (untouched && node.acted?.incidentId === incident.id) node.acted = incident.actedBefore
  }

  #move(flight: Flight, event: StepEvent): void {
    const { incident, stepId, command } = flight
    const step = stepId === null ? undefined : incident.steps.get(stepId)
    // A late word on an earlier try says nothing of the newer one, unless the work is done.
    if (step === undefined) return
    if (step.commandId !== command.commandId && event !== 'verified') return
    const moved = movedBy(step, event, command.target)
    if (moved !== undefined) incident.steps.set(step.stepId, moved)
  }

  #end(pool: PoolState, { command, lane }: Flight): void {
    const { commandId, node, workload } = command
    const flight = pool.flights.get(commandId)
    if (flight === undefined) return
    pool.flights.delete(commandId)
    pool.finished.set(commandId, flight)
    if (pool.finished.size > FINISHED_COMMANDS_MAX) {
      const oldest = pool.finished.keys().next().value
      if (oldest !== undefined) pool.finished.delete(oldest)
    }
    pool.repairs.end(lane, node)
    if (workload !== null && pool.flightOf.get(workload) === commandId) {
      pool.flightOf.delete(workload)
    }
    this.#state.stirIncident(flight.incident)
    for (const rail of FREED) pool.woken.add(rail)
    pool.dirty = true
  }

  /** The runtime did not send these: a stop out of band came first. */
  keepBack({ commandIds, reason }: WithheldRecord): void {
    for (const pool of this.#state.pools.values()) {
      for (const commandId of commandIds) {
        const flight = pool.flights.get(commandId)
        if (flight === undefined) continue
        this.#undo(pool, flight, 'kept-back')
        pool.finished.delete(commandId)
        this.#outbox.unsent()
        pool.held = reason
        pool.heldUntilMs = this.#outbox.nowMs + this.#policyFor(pool).cooldownMs
        const { incident, command } = flight
        this.#outbox.journal({
          kind: 'refusal',
          rail: 'stop',
          pool: pool.id,
          incidentId: incident.id,
          commandId,
          node: command.node,
          workload: command.workload,
          reasons: [`Command ${commandId} was not sent: ${reason}.`],
        })
      }
    }
  }

  /** Ends what has had its time. Work that had begun is cancelled first, and given as long again. */
  expire(pool: PoolState): void {
    const { nowMs } = this.#outbox
    for (const flight of pool.flights.values()) {
      if (flight.deadlineMs > nowMs) continue
      const { command } = flight
      const began = this.#stepOf(flight)?.state === 'started'
      if (began && !flight.withdrawn && command.workload !== null) {
        this.cancel(flight, [`Command ${command.commandId} has begun and is not heard of.`])
        flight.deadlineMs = nowMs + this.#policyFor(pool).commandTtlMs + EXPIRY_GRACE_MS
      } else if (command.action === 'cancel') this.#end(pool, flight)
      else this.#expireStep(pool, flight)
    }
  }

  #expireStep(pool: PoolState, flight: Flight): void {
    const { command, incident } = flight
    this.#finish(pool, flight, 'expired')
    this.#outbox.journal({
      kind: 'result',
      pool: pool.id,
      incidentId: incident.id,
      commandId: command.commandId,
      node: command.node,
      workload: command.workload,
      reasons: [`Command ${command.commandId} expired: its executor was not heard of in time.`],
    })
  }

  #stepOf({ incident, stepId }: Flight): Step | undefined {
    return stepId === null ? undefined : incident.steps.get(stepId)
  }

  /** Takes back what was sent and has not begun. What has begun goes on: half a move is worse. */
  withdraw(reason: string, flights: Iterable<Flight>): void {
    for (const flight of flights) {
      if (flight.withdrawn || flight.lane === 'release' || flight.command.workload === null)
        continue
      const state = this.#stepOf(flight)?.state
      if (state === 'sent' || state === 'accepted') this.cancel(flight, [reason])
    }
  }

  /** What is on its way to a node that is gone can only fail, however far it has come. */
  withdrawFrom(target: NodeState, reason: string): void {
    for (const flight of this.#state.pool(target.pool).flights.values()) {
      if (flight.withdrawn || flight.command.target !== target.id) continue
      if (this.#stepOf(flight)?.state !== 'succeeded') this.cancel(flight, [reason])
    }
  }

  cancel(flight: Flight, reasons: readonly string[]): void {
    const { incident, command } = flight
    flight.withdrawn = true
    const more = { stepId: null, idempotencyKey: null, reasons, precondition: null }
    this.#launch(incident, this.#compose(incident, 'cancel', command.workload, null, more))
  }

  #journalResult(pool: PoolState, flight: Flight, result: Result): void {
    const { command, incident } = flight
    const what = command.workload === null ? '' : ` of workload ${command.workload}`
    const detail = result.detail === null ? '' : `: ${result.detail}`
    this.#outbox.journal({
      kind: 'result',
      pool: pool.id,
      incidentId: incident.id,
      commandId: command.commandId,
      node: command.node,
      workload: command.workload,
      reasons: [`The ${command.action}${what} is ${result.state}${detail}.`],
      evidence: [{ what: 'state', value: result.state, limit: null }],
    })
  }
}

/** What is in flight for an incident. */
export function flightsOf({ flights }: PoolState, { steps }: Incident): readonly Flight[] {
  return [...steps.values()].flatMap(({ commandId }) => {
    const flight = commandId === null ? undefined : flights.get(commandId)
    return flight === undefined ? [] : [flight]
  })
}
