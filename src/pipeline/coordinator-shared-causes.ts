/** Tells people when a zone has a shared cause, and when it has none any more. */
import type { Policy } from '../core/policy.ts'
import { isSharedCause } from '../decide/admission.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { PoolState } from './coordinator-state.ts'

export class SharedCauseDesk {
  readonly #outbox: Outbox
  readonly #policyFor: (pool: PoolState) => Policy

  constructor(outbox: Outbox, policyFor: (pool: PoolState) => Policy) {
    this.#outbox = outbox
    this.#policyFor = policyFor
  }

  /** Told once when a zone freezes; a zone that thaws may be told of again. */
  tell(pool: PoolState): void {
    const policy = this.#policyFor(pool)
    for (const [name, count] of pool.zones) {
      const shared = isSharedCause(policy, { name, ...count })
      if (!shared) this.#thaw(pool, name)
      else if (!pool.frozenZones.has(name)) {
        pool.frozenZones.add(name)
        const share = `${count.alarmingCount} of ${count.nodeCount} nodes of zone ${name}`
        this.#outbox.alert({
          kind: 'shared-cause',
          pool: pool.id,
          node: null,
          cause: `zone:${name}`,
          severity: 'critical',
          message: `${share} alarm at once: preemptive work there waits, recovery goes on.`,
          incidentId: null,
        })
      }
    }
    for (const name of pool.frozenZones) if (!pool.zones.has(name)) this.#thaw(pool, name)
  }

  #thaw(pool: PoolState, name: string): void {
    if (!pool.frozenZones.delete(name)) return
    this.#outbox.alert({
      kind: 'shared-cause',
      pool: pool.id,
      node: null,
      cause: `zone:${name}`,
      severity: 'info',
      message: `Zone ${name} has no shared cause any more.`,
      incidentId: null,
      resolved: true,
    })
  }
}
