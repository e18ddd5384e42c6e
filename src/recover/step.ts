/**
 * One step of a plan, and the only ways in which it may move.
 *
 *     planned ─▶ sent ─▶ accepted ─▶ started ─▶ succeeded ─▶ verified
 *        ▲         │  └──────┴──────────┴───────────┴─▶ failed ─▶ sent (a new command)
 *        └─withdrawn before it started                  assumed: succeeded, never verified
 *
 * *Assumed* is never shown as *verified*.
 */
import type { CommandAction, Precondition, ResultState } from '../core/command.ts'
import type { CommandId, NodeId, PlanId, WorkloadId } from '../core/ids.ts'

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

/**
 * `expired`: its time is up. `kept-back`, `withdrawn`: it was not sent, or taken back in time.
 * `undone`: the world is as it was before it. `compensated`: we have undone it ourselves.
 */
export type StepEvent =
  | Exclude<ResultState, 'progress'>
  | 'progress'
  | 'send'
  | 'expired'
  | 'kept-back'
  | 'withdrawn'
  | 'rehearsed'
  | 'undone'
  | 'compensated'

/** Whatever of it is known: a later word may come before an earlier one. */
const UNDER_WAY = {
  progress: 'started',
  succeeded: 'succeeded',
  verified: 'verified',
  rejected: 'failed',
  failed: 'failed',
  expired: 'failed',
  withdrawn: 'planned',
} as const

export const STEP_TABLE: Readonly<
  Record<StepState, Readonly<Partial<Record<StepEvent, StepState>>>>
> = {
  planned: { send: 'sent' },
  sent: {
    ...UNDER_WAY,
    accepted: 'accepted',
    rehearsed: 'rehearsed',
    started: 'started',
    'kept-back': 'planned',
  },
  accepted: { ...UNDER_WAY, started: 'started' },
  started: UNDER_WAY,
  succeeded: {
    verified: 'verified',
    rejected: 'failed',
    failed: 'failed',
    expired: 'assumed',
    compensated: 'planned',
  },
  verified: { undone: 'planned', compensated: 'planned' },
  assumed: { verified: 'verified', undone: 'planned', compensated: 'planned' },
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
  /** Steps that come first. */
  readonly after: readonly string[]
  /** So long it may hold up those after it, once it is free to go itself, ms. */
  readonly timeoutMs: number
  readonly state: StepState
  /** Commands sent; one that never left does not count. */
  readonly attempts: number
  /** The newest command of the step. */
  readonly commandId: CommandId | null
  /** Targets that it came to nothing on, the newest last. */
  readonly failedOn: readonly NodeId[]
  /** How often it was undone: what it does then is to be done anew. */
  readonly round: number
  /** Since when nothing before it holds it up; null while something does. */
  readonly freeAtMs: number | null
}

/** What takes a workload to a target that is chosen for it. */
export const MOVES = ['migrate', 'recover'] as const

/** Targets that a step keeps away from. */
const FAILED_ON_MAX = 16

interface StepRule {
  /** The word after which it is done: a node's own steps count without a second look. */
  readonly verification: 'succeeded' | 'verified'
  /** What takes it back when its plan comes to nothing; null where going back does more harm. */
  readonly compensation: CommandAction | null
}

/**
 * A fence is taken back only once its node has shown that it is well, by the plan that lets it return.
 * What has moved stays: it would move twice, and it runs.
 */
export const STEP_RULES: Readonly<Record<CommandAction, StepRule>> = {
  cordon: { verification: 'succeeded', compensation: 'uncordon' },
  uncordon: { verification: 'succeeded', compensation: null },
  fence: { verification: 'succeeded', compensation: null },
  restart: { verification: 'verified', compensation: null },
  replicate: { verification: 'verified', compensation: null },
  migrate: { verification: 'verified', compensation: null },
  recover: { verification: 'verified', compensation: null },
  promote: { verification: 'verified', compensation: null },
  cancel: { verification: 'verified', compensation: null },
}

export function planStep(
  action: CommandAction,
  workload: WorkloadId | null,
  {
    after = [],
    timeoutMs = Number.POSITIVE_INFINITY,
  }: Partial<Pick<Step, 'after' | 'timeoutMs'>> = {},
): Step {
  return {
    stepId: stepIdOf(action, workload),
    action,
    workload,
    after,
    timeoutMs,
    state: 'planned',
    attempts: 0,
    commandId: null,
    failedOn: [],
    round: 0,
    freeAtMs: null,
  }
}

export function stepIdOf(action: CommandAction, workload: WorkloadId | null): string {
  return workload === null ? action : `${action}:${workload}`
}

/** The same for each try of a step: an executor that has begun it does not begin it twice. */
export function idempotencyKeyOf(planId: PlanId, { stepId, round }: Step): string {
  return `${planId}/${stepId}/${round}`
}

/** The step after what came of its command to `target`; undefined where nothing follows. */
export function movedBy(step: Step, event: StepEvent, target: NodeId | null): Step | undefined {
  const state = nextStepState(step.state, event)
  if (state === undefined) return undefined
  if (state !== 'failed' || target === null) return { ...step, state }
  const others = step.failedOn.filter((node) => node !== target)
  return { ...step, state, failedOn: [...others, target].slice(-FAILED_ON_MAX) }
}

/** What is done with it is to be done anew, as another piece of work. */
export function undoneBy(step: Step, event: 'undone' | 'compensated'): Step | null {
  const state = nextStepState(step.state, event)
  return state === undefined ? null : { ...step, state, round: step.round + 1, freeAtMs: null }
}

export function preconditionOf({ action, workload }: Step, node: NodeId): Precondition | null {
  if (action === 'recover' || action === 'promote') return { kind: 'fenced', node }
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

/** Nothing more is waited for: it is verified, or will never be. */
export function isDone(step: Step): boolean {
  if (step.state === 'succeeded') return STEP_RULES[step.action].verification === 'succeeded'
  return isAchieved(step)
}

/** It was sent, and more is to come of it. */
export function isUnderWay(step: Step): boolean {
  return !isOpen(step) && !isDone(step)
}

/** Its tries are used up. */
export function isGivenUp({ state, attempts }: Step, attemptsMax: number): boolean {
  return state === 'failed' && attempts >= attemptsMax
}
