/**
 * The one admission point: every command passes every rail, in this order, and a refusal names its
 * rail and the numbers behind it.
 *
 * What only undoes (uncordon, cancel) always passes: a breaker that is open must not trap what
 * was already done.
 */
import type { Liveness } from '../core/assessment.ts'
import type { CommandAction, Rail } from '../core/command.ts'
import type { CommandId, NodeId, WorkloadId } from '../core/ids.ts'
import type { WindowRecord } from '../core/maintenance.ts'
import type { Mode, Policy } from '../core/policy.ts'
import { formatDuration } from '../core/time.ts'
import { percent } from './explain.ts'
import type { TargetChoice } from './place.ts'

/**
 * `preemptive`: before a failure. `recovery`: after it. Each has its own budget of the same size.
 *
 * A restart is preemptive whatever it answers: it takes no place from recoveries, waits with its zone
 * where many nodes are ill at once, and rests after earlier work on the node.
 */
export type Lane = 'preemptive' | 'recovery' | 'release'

const RECOVERING: ReadonlySet<CommandAction> = new Set(['fence', 'recover', 'promote'])

export function laneOf(action: CommandAction): Lane {
  if (action === 'uncordon' || action === 'cancel') return 'release'
  return RECOVERING.has(action) ? 'recovery' : 'preemptive'
}

/** Everything that a rail may look at, as values, so that a refusal can be replayed and explained. */
export interface Ask {
  readonly action: CommandAction
  readonly node: NodeId
  readonly workload: WorkloadId | null
  readonly nowMs: number
  readonly policy: Policy
  readonly mode: Mode
  /** Who approved what the incident asks for, and why; null when nobody has. */
  readonly approved: string | null
  /** Why the pool is stopped, `null` when it is not. */
  readonly stopped: string | null
  readonly vetoed: string | null
  readonly maintenanceUntilMs: number | null
  /** The maintenance window that is running for it. */
  readonly window?: WindowRecord | null
  readonly liveness: Liveness
  /** The failure is confirmed by an event, so our own view of the node does not matter. */
  readonly confirmed: boolean
  readonly zone: ZoneTrouble | null
  /** Why the pool moves nothing ahead of a failure; null or absent where it may. */
  readonly emergency?: string | null
  /** Why work on the node waits, beside its zone's trouble. */
  readonly held?: Held | null
  readonly probability: number | null
  readonly actingPoint: number | null
  readonly overCount: number
  readonly alarmRaised: boolean
  /** Commands already sent for this step. */
  readonly attempts: number
  /** Last preemptive command on this node for an earlier incident. */
  readonly lastPreemptiveAtMs: number | null
  readonly budget: BudgetUse
  /** Called only when every rail before it has passed: choosing costs a pass over the pool. */
  readonly target: (() => TargetChoice) | null
  /** Live command for the same workload. */
  readonly inFlight: CommandId | null
  /** Why nodes have to vote on it first; called only when every other rail has passed. */
  readonly voted?: (() => string | null) | null
  /** Why the node is only watched; called only when every other rail has passed. */
  readonly heldOut?: (() => string | null) | null
}

/** `recovery` too: without a majority nobody may take work over, unless the failure is confirmed. */
export interface Held {
  readonly rail: 'no-quorum' | 'shared-cause'
  readonly reason: string
  readonly lanes: 'preemptive' | 'preemptive and recovery'
}

export interface ZoneTrouble {
  readonly name: string
  readonly nodeCount: number
  readonly alarmingCount: number
}

/** Nodes of the pool with a command of this lane in flight. */
export interface BudgetUse {
  readonly nodeCount: number
  readonly busyCount: number
  readonly nodeIsBusy: boolean
}

export type Admission =
  /** `why`: the target, where there is one. */
  | { readonly ok: true; readonly target: NodeId | null; readonly why: string | null }
  | { readonly ok: false; readonly rail: Rail; readonly reason: string }

/** The reason to refuse, or `null`. */
export interface RailCheck {
  readonly rail: Rail
  readonly check: (ask: Ask) => string | null
}

export const RAILS: readonly RailCheck[] = [
  { rail: 'stop', check: ({ stopped }) => stopped && `the pool is stopped: ${stopped}` },
  { rail: 'mode', check: checkMode },
  { rail: 'veto', check: ({ vetoed, node }) => vetoed && `node ${node} is vetoed: ${vetoed}` },
  { rail: 'maintenance', check: checkMaintenance },
  { rail: 'observer', check: checkObserver },
  { rail: 'no-quorum', check: checkNoQuorum },
  { rail: 'emergency', check: checkEmergency },
  { rail: 'shared-cause', check: checkSharedCause },
  { rail: 'hysteresis', check: checkHysteresis },
  { rail: 'attempts', check: checkAttempts },
  { rail: 'cooldown', check: checkCooldown },
  { rail: 'budget', check: checkBudget },
  { rail: 'capacity', check: checkCapacity },
  { rail: 'in-flight', check: checkInFlight },
  { rail: 'votes', check: ({ voted }) => voted?.() ?? null },
  { rail: 'hold-out', check: ({ heldOut }) => heldOut?.() ?? null },
]

export function admit(ask: Ask, rails: readonly RailCheck[] = RAILS): Admission {
  if (laneOf(ask.action) === 'release') return { ok: true, target: null, why: null }
  const once = withTargetOnce(ask)
  for (const { rail, check } of rails) {
    const reason = check(once)
    if (reason !== null) return { ok: false, rail, reason }
  }
  const choice = once.target?.() ?? null
  if (choice?.ok !== true) return { ok: true, target: null, why: null }
  return { ok: true, target: choice.target, why: choice.why }
}

export function budgetNodesMax(policy: Policy, nodeCount: number): number {
  return Math.max(1, Math.floor(policy.budgetRatio * nodeCount))
}

/** Too many nodes of one zone alarm at once: that is one cause, and moving work is no answer to it. */
export function isSharedCause(policy: Policy, zone: ZoneTrouble): boolean {
  if (zone.nodeCount < policy.sharedCauseNodesMin) return false
  return zone.alarmingCount >= policy.sharedCauseRatio * zone.nodeCount
}

function withTargetOnce(ask: Ask): Ask {
  const { target } = ask
  if (target === null) return ask
  let choice: TargetChoice | undefined
  return { ...ask, target: () => (choice ??= target()) }
}

function checkMode({ mode, approved }: Ask): string | null {
  if (mode === 'enforce' || (mode === 'approve' && approved !== null)) return null
  if (mode === 'observe') return 'the pool only observes; this is what would be done'
  return 'the pool acts on approval only, and nobody has approved'
}

function checkMaintenance({ maintenanceUntilMs, window, nowMs, node, action }: Ask): string | null {
  if (maintenanceUntilMs !== null && nowMs < maintenanceUntilMs) {
    return `node ${node} is in maintenance for another ${formatDuration(maintenanceUntilMs - nowMs)}`
  }
  if (!window || (window.holds === 'preemptive' && laneOf(action) !== 'preemptive')) return null
  const left = formatDuration(window.endMs - nowMs)
  const said = `${window.reason} (by ${window.by})`
  return `node ${node} is in maintenance window ${window.window} for another ${left}: ${said}`
}

function checkObserver({ liveness, confirmed, node }: Ask): string | null {
  if (liveness !== 'unknown' || confirmed) return null
  return `our own view of node ${node} is late or cut off, so nothing is known of it`
}

/** Where no side goes on, not even what failed for certain is known to be nowhere else. */
function checkNoQuorum({ action, held }: Ask): string | null {
  if (held?.rail !== 'no-quorum') return null
  const waits = held.lanes === 'preemptive and recovery' || laneOf(action) === 'preemptive'
  return waits ? held.reason : null
}

/** Recovery goes on, and so does restarting what is down already, and fetching data that is wrong already. */
function checkEmergency({ emergency, action, confirmed, liveness }: Ask): string | null {
  if (!emergency || laneOf(action) !== 'preemptive' || action === 'replicate') return null
  return action === 'restart' && isDown({ confirmed, liveness }) ? null : emergency
}

function checkSharedCause({ action, zone, policy, held, confirmed }: Ask): string | null {
  const preemptive = laneOf(action) === 'preemptive'
  const isHeld = held?.rail === 'shared-cause'
  if (isHeld && (preemptive || (held.lanes === 'preemptive and recovery' && !confirmed))) {
    return held.reason
  }
  if (zone === null || !preemptive || !isSharedCause(policy, zone)) return null
  const share = `${zone.alarmingCount} of ${zone.nodeCount} nodes of zone ${zone.name}`
  return `${share} alarm at once (limit ${percent(policy.sharedCauseRatio)}): one shared cause`
}

function checkHysteresis(ask: Ask): string | null {
  if (laneOf(ask.action) !== 'preemptive' || ask.alarmRaised) return null
  // What is silent or has failed needs no alarm to be restarted.
  if (ask.action === 'restart' && isDown(ask)) return null
  const { probability, actingPoint, overCount, policy } = ask
  if (actingPoint === null) return "the policy's acting point is not in the model's card"
  const seen = `seen ${overCount} of ${policy.persistenceCount} times in a row`
  return `probability ${percent(probability ?? 0)}, acting point ${percent(actingPoint)}, ${seen}`
}

function isDown({ confirmed, liveness }: Pick<Ask, 'confirmed' | 'liveness'>): boolean {
  return confirmed || liveness === 'silent'
}

function checkAttempts({ attempts, policy }: Ask): string | null {
  if (attempts < policy.attemptsMax) return null
  return `${attempts} of ${policy.attemptsMax} attempts are used up`
}

function checkCooldown({ action, lastPreemptiveAtMs, nowMs, policy, node }: Ask): string | null {
  if (laneOf(action) !== 'preemptive' || lastPreemptiveAtMs === null) return null
  const sinceMs = nowMs - lastPreemptiveAtMs
  if (sinceMs >= policy.cooldownMs) return null
  const cooldown = formatDuration(policy.cooldownMs)
  return `node ${node} was acted on ${formatDuration(sinceMs)} ago; cooldown is ${cooldown}`
}

function checkBudget({ budget, policy, action }: Ask): string | null {
  const max = budgetNodesMax(policy, budget.nodeCount)
  if (budget.nodeIsBusy || budget.busyCount < max) return null
  const share = `${percent(policy.budgetRatio)} of ${budget.nodeCount} nodes`
  return `${budget.busyCount} nodes are in ${laneOf(action)} work; the budget is ${max} (${share})`
}

function checkCapacity({ target }: Ask): string | null {
  const choice = target?.() ?? null
  return choice === null || choice.ok ? null : choice.why
}

function checkInFlight({ inFlight, workload }: Ask): string | null {
  return inFlight && `command ${inFlight} for workload ${workload ?? '(none)'} is still in flight`
}
