/**
 * A plan: the steps of one incident, and the only ways in which a step may move.
 *
 *     planned ─▶ sent ─▶ accepted ─▶ started ─▶ succeeded ─▶ verified
 *        ▲         │  └──────┴──────────┴───────────┴─▶ failed ─▶ sent (a new command)
 *        └─withdrawn before it started                  assumed: succeeded, never verified
 *
 * *Assumed* is never shown as *verified*.
 */
import { never } from '../core/errors.ts'
import type { CommandAction, Precondition, ResultState } from '../core/command.ts'
import type { CommandId, NodeId, WorkloadId } from '../core/ids.ts'
import type { Strategy } from '../core/strategy.ts'

export type StepState =
  | 'planned'
  | 'sent'
  | 'accepted'
  | 'started'
  | 'succeeded'
  | 'verified'
  | 'assumed'
  | 'rehearsed'
  | 'failed'

/** `expired`: its time is up. `kept-back`, `withdrawn`: it was not sent, or taken back in time. */
export type StepEvent =
  | Exclude<ResultState, 'progress'>
  | 'progress'
  | 'send'
  | 'expired'
  | 'kept-back'
  | 'withdrawn'
  | 'rehearsed'
  | 'undone'

export const STEP_TABLE: Readonly<
  Record<StepState, Readonly<Partial<Record<StepEvent, StepState>>>>
> = {
  planned: { send: 'sent' },
  sent: {
    accepted: 'accepted',
    rehearsed: 'rehearsed',
    started: 'started',
    progress: 'started',
    succeeded: 'succeeded',
    verified: 'verified',
    rejected: 'failed',
    failed: 'failed',
    expired: 'failed',
    'kept-back': 'planned',
    withdrawn: 'planned',
  },
  accepted: {
    started: 'started',
    progress: 'started',
    succeeded: 'succeeded',
    verified: 'verified',
    rejected: 'failed',
    failed: 'failed',
    expired: 'failed',
    withdrawn: 'planned',
  },
  started: {
    progress: 'started',
    succeeded: 'succeeded',
    verified: 'verified',
    rejected: 'failed',
    failed: 'failed',
    expired: 'failed',
    withdrawn: 'planned',
  },
  succeeded: { verified: 'verified', rejected: 'failed', failed: 'failed', expired: 'assumed' },
  verified: { undone: 'planned' },
  assumed: { verified: 'verified', undone: 'planned' },
  rehearsed: {},
  failed: { send: 'sent', verified: 'verified' },
}

/** `undefined`: nothing follows, e.g. a result that comes late or twice. */
export function nextStepState(state: StepState, event: StepEvent): StepState | undefined {
  return STEP_TABLE[state][event]
}

export interface Step {
  readonly stepId: string
  readonly action: CommandAction
  readonly workload: WorkloadId | null
  readonly state: StepState
  /** Commands sent; one that never left does not count. */
  readonly attempts: number
  /** The newest command of the step. */
  readonly commandId: CommandId | null
}

/**
 * What a plan is for. A predicted failure that comes true becomes `silent` or `failed`; an `overloaded` node
 * only gives some of its work away.
 */
export type PlanCause = 'overloaded' | 'predicted' | 'silent' | 'failed' | 'release'

export function planStep(action: CommandAction, workload: WorkloadId | null): Step {
  const stepId = workload === null ? action : `${action}:${workload}`
  return { stepId, action, workload, state: 'planned', attempts: 0, commandId: null }
}

/** What nobody chose: what is predicted is migrated, what is silent or failed fails over. */
export function strategyFor(cause: Exclude<PlanCause, 'release' | 'overloaded'>): Strategy {
  return cause === 'predicted' ? 'migrate' : 'fail-over'
}

/** The step that shields the node comes first, then one for each workload, in the order given. */
export function planFor(
  cause: PlanCause,
  workloads: readonly WorkloadId[],
  chosen: Strategy | null = null,
): readonly Step[] {
  if (cause === 'release') return [planStep('uncordon', null)]
  if (cause === 'overloaded') return workloads.map((w) => planStep('migrate', w))
  const strategy = chosen ?? strategyFor(cause)
  switch (strategy) {
    case 'wait':
      return []
    case 'restart':
      return [planStep('restart', null)]
    case 'migrate':
      return [planStep('cordon', null), ...workloads.map((w) => planStep('migrate', w))]
    case 'fail-over':
      return [planStep('fence', null), ...workloads.map((w) => planStep('recover', w))]
    default:
      return never(strategy)
  }
}

/** Fencing must be over before its workloads start elsewhere: two copies would both write. */
export function isReady(step: Step, fence: Step | undefined): boolean {
  if (!isOpen(step)) return false
  return step.action !== 'recover' || (fence !== undefined && isAchieved(fence))
}

export function preconditionOf({ action, workload }: Step, node: NodeId): Precondition | null {
  if (action === 'recover') return { kind: 'fenced', node }
  if (action === 'migrate' && workload !== null) return { kind: 'placed-on', workload, node }
  return null
}

/** It may be sent (again). */
export function isOpen({ state }: Step): boolean {
  return state === 'planned' || state === 'failed'
}

/** Good enough for what depends on it. */
export function isAchieved({ state }: Step): boolean {
  return (
    state === 'succeeded' || state === 'verified' || state === 'assumed' || state === 'rehearsed'
  )
}
