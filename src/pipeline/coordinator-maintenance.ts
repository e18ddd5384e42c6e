/** Maintenance windows: announced, changed and withdrawn by operators, begun and ended by the log's time. */
import { FLEET_POOL } from '../core/ids.ts'
import {
  type MaintenanceControl,
  TOO_LONG,
  WINDOW_MS_MAX,
  type WindowRecord,
} from '../core/maintenance.ts'
import { WINDOWS_MAX } from '../decide/maintenance.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'

export class MaintenanceDesk {
  readonly #partition: number
  readonly #state: CoordinatorState
  readonly #outbox: Outbox

  /** `partition`: of the pool-log. What is said of all pools is journaled by the first alone. */
  constructor(partition: number, state: CoordinatorState, outbox: Outbox) {
    this.#partition = partition
    this.#state = state
    this.#outbox = outbox
  }

  take(control: MaintenanceControl): void {
    const { windows } = this.#state
    const known = windows.get(control.window)
    if (control.withdrawn) return this.#withdraw(control, known)
    const { nowMs } = this.#outbox
    const { window, node, zone, pool, holds, by, reason } = control
    const startMs = control.startMs ?? nowMs
    const endMs = control.endMs ?? startMs
    const of = { window, node, zone, pool, startMs, endMs, holds, by, reason }
    const record: WindowRecord = { ...of, state: 'planned' }
    if (endMs <= nowMs) return this.#refuse(record, 'its end has passed: name a later one')
    if (endMs - startMs > WINDOW_MS_MAX) return this.#refuse(record, `its end: ${TOO_LONG}`)
    if (!windows.set(record)) {
      return this.#refuse(record, `there are ${WINDOWS_MAX} of them: withdraw some first`)
    }
    if (known?.state === 'running') this.#wake(known)
    const what = known === undefined ? 'is announced' : 'is changed'
    this.#tell(record, `${what} ${spanOf(record)} by ${by}: ${reason}.`)
  }

  /** What begins or ends by now is told, and what an end had held back is looked at again. */
  turn(): void {
    for (const window of this.#state.windows.turn(this.#outbox.nowMs)) {
      this.#wake(window)
      this.#tell(window, `${window.state === 'running' ? 'begins' : 'is over'}.`)
    }
  }

  #withdraw({ window, pool, by, reason }: MaintenanceControl, known?: WindowRecord): void {
    if (known === undefined) {
      this.#journal(pool, `Maintenance window ${window} is not known, so nothing is withdrawn.`)
      return
    }
    this.#state.windows.remove(window)
    this.#wake(known)
    this.#tell({ ...known, state: 'withdrawn' }, `is withdrawn by ${by}: ${reason}.`)
  }

  #refuse({ pool, window }: WindowRecord, why: string): void {
    this.#journal(pool, `Maintenance window ${window} is not taken; ${why}.`)
  }

  /** Nodes that it is about are told of anew, and what waits for its end is looked at again. */
  #wake(window: WindowRecord): void {
    for (const pool of this.#state.pools.values()) {
      if (window.pool !== null && window.pool !== pool.id) continue
      pool.woken.add('maintenance')
      pool.dirty = true
      for (const node of this.#nodesOf(window, pool.nodes)) this.#state.touch(node)
    }
  }

  *#nodesOf(
    { node, zone }: WindowRecord,
    nodes: ReadonlyMap<NodeState['id'], NodeState>,
  ): Iterable<NodeState> {
    if (node !== null) {
      const known = nodes.get(node)
      if (known !== undefined) yield known
    } else if (zone !== null) {
      for (const each of nodes.values()) if (each.zone === zone) yield each
    }
  }

  #tell(window: WindowRecord, what: string): void {
    this.#journal(
      window.pool,
      `Maintenance window ${window.window} of ${about(window)} ${what}`,
      window,
    )
  }

  #journal(pool: WindowRecord['pool'], sentence: string, window?: WindowRecord): void {
    if (pool === null && this.#partition !== 0) return
    const more = window === undefined ? {} : { node: window.node, window }
    this.#outbox.journal({
      kind: 'control',
      pool: pool ?? FLEET_POOL,
      reasons: [sentence],
      ...more,
    })
  }
}

function about({ node, zone, pool }: WindowRecord): string {
  if (node !== null) return `node ${node}`
  return zone === null ? `pool ${pool}` : `zone ${zone}`
}

function spanOf({ startMs, endMs, holds }: WindowRecord): string {
  const what = holds === 'everything' ? ', also for recovery,' : ''
  return `from ${new Date(startMs).toISOString()} to ${new Date(endMs).toISOString()}${what}`
}
