/** Commands and their results, and the journal that says why and why not. */
import type { AcknowledgeControl, PageRecord, SilenceControl } from './alert.ts'
import type { CommandId, IncidentId, NodeId, PlanId, PoolId, WorkloadId } from './ids.ts'
import type { PoolCondition } from './emergency.ts'
import type { ConfigNote } from './runtime-config.ts'
import type { Evidence, FaultKind, WrongReplica } from './fault.ts'
import type { WindowRecord } from './maintenance.ts'
import type { BallotRecord } from './vote.ts'

export type CommandAction =
  | 'migrate' // move a running workload away before its node fails
  | 'recover' // start a workload of a failed node elsewhere
  | 'promote' // start a workload of a failed node on its standby, where its state is already
  | 'fence' // make sure a silent node can do no harm
  | 'restart' // restart the node's service where it is
  | 'replicate' // fetch objects that the node has wrong from nodes that have them right
  | 'cordon' // take no new workloads
  | 'uncordon'
  | 'cancel' // withdraw a command that is still in flight

/** Objects that one `replicate` names; more follow in another. */
export const REPLICAS_PER_COMMAND_MAX = 64

/** Which command topic an action travels on. Preemptive work and recovery have separate lanes. */
export function commandTopic(action: CommandAction): 'commands.migration' | 'commands.recovery' {
  return action === 'migrate' ? 'commands.migration' : 'commands.recovery'
}

export type Precondition =
  | { readonly kind: 'fenced'; readonly node: NodeId }
  | { readonly kind: 'placed-on'; readonly workload: WorkloadId; readonly node: NodeId }

export interface Command {
  readonly commandId: CommandId
  readonly incidentId: IncidentId
  readonly planId: PlanId | null
  readonly stepId: string | null
  /**
   * The same for every try of one step: what is under way or done by an earlier try is not begun again.
   * Null for a cancel.
   */
  readonly idempotencyKey: string | null
  readonly pool: PoolId
  /** Offset of the coordinator's claim: executors refuse one older than its partition's newest. */
  readonly epoch: number
  readonly action: CommandAction
  readonly node: NodeId
  readonly workload: WorkloadId | null
  readonly target: NodeId | null
  /** Of an `uncordon`: the share of its capacity that the node may be given work for, 0..1; else null. */
  readonly capacityRatio: number | null
  /** Of a `replicate`, the objects; else absent. */
  readonly replicas?: readonly WrongReplica[]
  readonly expiresAtMs: number
  readonly dryRun: boolean
  readonly reasons: readonly string[]
  readonly precondition: Precondition | null
  readonly modelVersion: string | null
  readonly policyVersion: string
}

export type ResultState =
  | 'accepted'
  | 'rejected'
  | 'started'
  | 'progress'
  | 'succeeded'
  | 'failed'
  | 'verified'

/** No state follows one of these. */
export const FINAL_STATES: readonly ResultState[] = ['rejected', 'failed', 'verified']

export interface Result {
  readonly commandId: CommandId
  readonly epoch: number
  readonly pool: PoolId
  readonly node: NodeId
  readonly state: ResultState
  readonly atMs: number
  readonly detail: string | null
}

/** Each rail of admission has a name; a refusal carries it. */
export type Rail =
  | 'stop'
  | 'mode'
  | 'veto'
  | 'maintenance'
  | 'observer'
  | 'no-quorum'
  | 'emergency'
  | 'shared-cause'
  | 'hysteresis'
  | 'attempts'
  | 'cooldown'
  | 'budget'
  | 'capacity'
  | 'in-flight'
  | 'votes'
  | 'hold-out'

/** One line of the journal: a decision, a refusal, a result or a change of state, with its reasons. */
export interface JournalEntry {
  readonly entryId: string
  readonly atMs: number
  readonly pool: PoolId
  readonly kind:
    | 'incident-opened'
    | 'incident-closed'
    /** What a detector found, where no plan answers it. */
    | 'fault'
    | 'decision'
    /** The steps of a plan and their order; and how it ended. */
    | 'plan'
    /** Which strategy answers an incident, with its ranking; and how one ended. */
    | 'choice'
    | 'trial'
    | 'refusal'
    /** Work has no room and waits, is put off, has room, or needs none any more. */
    | 'waiting'
    | 'result'
    | 'control'
    | 'outcome'
    | 'assignment'
    | 'model'
    /** Something begins, changes or ends that holds for the whole pool. */
    | 'condition'
    /** A workload was placed on both sides of a split network. */
    | 'merge'
    /** A ballot is opened, a vote counted, or it is decided. */
    | 'ballot'
    /** A configuration came into force, was kept, or was taken back. */
    | 'config'
    /** People were paged. */
    | 'page'
  readonly incidentId: IncidentId | null
  readonly commandId: CommandId | null
  readonly node: NodeId | null
  readonly workload: WorkloadId | null
  /** For a refusal the rail that refused, else null. */
  readonly rail: Rail | null
  /** Sentences for people. */
  readonly reasons: readonly string[]
  readonly evidence: readonly Evidence[]
  /** Where it tells of a maintenance window. */
  readonly window?: WindowRecord
  /** What an operator said of alerts. */
  readonly said?: SilenceControl | AcknowledgeControl
  readonly page?: PageRecord
  readonly condition?: PoolCondition
  readonly ballot?: BallotRecord
  readonly config?: ConfigNote
  /** The shared cause that now explains the node, as in `alerts`. */
  readonly cause?: string
  /** Of an incident, as it is known from now on. */
  readonly faultKind?: FaultKind
}
