/**
 * Emergencies of pools: counted from what fails or declared by people, announced when they begin and when
 * they are over. What they hold back is said by the rail `emergency`.
 */
import type { EmergencyControl } from '../core/emergency.ts'
import type { PoolId } from '../core/ids.ts'
import type { Policy } from '../core/policy.ts'
import {
  countEmergency,
  declareEmergency,
  emergencyReason,
  type EmergencyState,
  type FailingCount,
} from '../decide/emergency.ts'
import { percent } from '../decide/explain.ts'
import type { CommandDesk } from './coordinator-commands.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState, PoolState } from './coordinator-state.ts'
import type { VoteDesk } from './coordinator-votes.ts'

/** A confirmed failure counts so long, ms: nobody takes failed drives out, and they are no emergency. */
const FAILED_COUNTS_MS = 3_600_000
const CAUSE = 'emergency'

export class EmergencyDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #commands: CommandDesk
  readonly #votes: VoteDesk
  readonly #policyFor: (pool: PoolState) => Policy
  /** What people said of every pool; one that appears later begins with it. */
  #everywhere: EmergencyControl | null = null
  readonly #begun = new Set<PoolId>()
  /** What people asked for and votes have not decided. */
  readonly #asked = new Map<PoolId, EmergencyControl>()

  constructor(
    state: CoordinatorState,
    outbox: Outbox,
    commands: CommandDesk,
    votes: VoteDesk,
    policyFor: (pool: PoolState) => Policy,
  ) {
    this.#state = state
    this.#outbox = outbox
    this.#commands = commands
    this.#votes = votes
    this.#policyFor = policyFor
  }

  /** A person's word, for one pool or for all of them. */
  take(control: EmergencyControl): void {
    const { pool: id, emergency } = control
    if (id === null) this.#everywhere = emergency ? control : null
    const pools = id === null ? [...this.#state.pools.values()] : [this.#state.pool(id)]
    for (const pool of pools) this.#apply(pool, control)
  }

  #apply(pool: PoolState, control: EmergencyControl): void {
    const { emergency, by, reason } = control
    this.#begun.add(pool.id)
    if (emergency) this.#asked.set(pool.id, control)
    else this.#asked.delete(pool.id)
    const waits = emergency
      ? this.#votes.waitFor(pool, control, () => this.#declare(pool, this.#asked.get(pool.id)))
      : null
    const what = emergency ? 'An emergency is declared' : 'The emergency is ended'
    const but = waits === null ? '' : ` It waits for a vote: ${waits}.`
    const reasons = [`${what} by ${by}: ${reason}.${but}`]
    this.#outbox.journal({ kind: 'control', pool: pool.id, reasons })
    if (waits === null) this.#declare(pool, control)
  }

  #declare(pool: PoolState, control: EmergencyControl | undefined): void {
    if (control === undefined) return
    this.#asked.delete(pool.id)
    const said = control.emergency ? `${control.reason} (by ${control.by})` : null
    this.#turn(pool, declareEmergency(pool.emergency, said, this.#outbox.nowMs))
  }

  /** Call it before decisions are made: what a record has brought counts for them. */
  follow(): void {
    const { nowMs } = this.#outbox
    for (const pool of this.#state.pools.values()) {
      if (!this.#begun.has(pool.id)) this.#begin(pool)
      const { emergency: rules } = this.#policyFor(pool)
      forgetOldFailures(pool, nowMs)
      const count = failingOf(this.#state, pool)
      this.#turn(pool, countEmergency(pool.emergency, count, rules, nowMs))
    }
  }

  #begin(pool: PoolState): void {
    this.#begun.add(pool.id)
    if (this.#everywhere !== null) this.#apply(pool, this.#everywhere)
  }

  #turn(pool: PoolState, next: EmergencyState): void {
    const before = pool.emergency
    pool.emergency = next
    const [was, is] = [before.standing !== null, next.standing !== null]
    if (was === is && before.standing?.said === next.standing?.said) return
    if (is) this.#enter(pool)
    else if (was) this.#leave(pool, before.standing!.sinceMs)
    pool.woken.add('emergency')
    pool.dirty = true
  }

  #enter(pool: PoolState): void {
    const { standing } = pool.emergency
    const { emergency: rules } = this.#policyFor(pool)
    const count = failingOf(this.#state, pool)
    const why = `${count.failingCount} of ${count.nodeCount} nodes are failing (limit ${percent(rules.enterRatio)})`
    const said = standing!.said === null ? why : `${standing!.said}; ${why}`
    const summary = `Emergency in pool ${pool.id}: ${said}. Nothing is moved ahead of a failure, recovery goes on.`
    this.#tell(pool, summary, standing!.sinceMs, count, true)
    const preemptive = [...pool.flights.values()].filter(({ lane }) => lane === 'preemptive')
    this.#commands.withdraw('The pool is in an emergency.', preemptive)
  }

  #leave(pool: PoolState, sinceMs: number): void {
    const count = failingOf(this.#state, pool)
    const share = `${count.failingCount} of ${count.nodeCount} nodes are failing`
    const summary = `The emergency in pool ${pool.id} is over: ${share}.`
    this.#tell(pool, summary, sinceMs, count, false)
  }

  #tell(
    pool: PoolState,
    summary: string,
    sinceMs: number,
    { failingCount, nodeCount }: FailingCount,
    stands: boolean,
  ): void {
    const limit = this.#policyFor(pool).emergency.enterRatio * nodeCount
    const evidence = [{ what: 'failingNodes', value: failingCount, limit }]
    this.#outbox.journal({
      kind: 'condition',
      pool: pool.id,
      reasons: [summary],
      evidence,
      condition: { name: 'emergency', state: stands ? 'standing' : 'over', sinceMs, summary },
    })
    this.#outbox.alert({
      kind: 'emergency',
      pool: pool.id,
      node: null,
      cause: CAUSE,
      severity: stands ? 'critical' : 'info',
      message: summary,
      incidentId: null,
      evidence,
      ...(stands ? {} : { resolved: true }),
    })
  }
}

/** Silent, critical, or failed of late; what a late watcher does not know is not failing. */
export function failingOf(state: CoordinatorState, pool: PoolState): FailingCount {
  const failedCount = pool.failedOfLate.size
  return {
    nodeCount: pool.activeNodeCount + failedCount,
    failingCount: pool.failingNodeCount + failedCount,
    certain: state.lateSources.size === 0,
  }
}

function forgetOldFailures({ failedOfLate }: PoolState, nowMs: number): void {
  for (const [node, failedAtMs] of failedOfLate) {
    if (nowMs - failedAtMs <= FAILED_COUNTS_MS) return
    failedOfLate.delete(node)
  }
}

/** Why nothing is moved ahead of a failure; null where it may be. */
export function emergencyOf(
  state: CoordinatorState,
  pool: PoolState,
  { emergency: rules }: Policy,
  nowMs: number,
): string | null {
  const { standing } = pool.emergency
  if (standing === null) return null
  return emergencyReason(standing, failingOf(state, pool), rules, nowMs)
}
