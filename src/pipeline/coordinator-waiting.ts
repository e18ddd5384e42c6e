/**
 * What waits for room in each pool. Before incidents are looked at, room is dealt out in the order of the
 * queue; a step then gets what its workload was dealt, and whoever is not in the queue what is left. Room
 * that was dealt and not taken, because another rail refused, is dealt anew among the others.
 */
import type { PoolId, WorkloadId } from '../core/ids.ts'
import type { WaitingQueueView, WaitingWorkload } from '../core/waiting.ts'
import type { Priority } from '../core/workload.ts'
import { lasting } from '../decide/explain.ts'
import type { TargetChoice } from '../decide/place.ts'
import { PRIORITIES, WAITING_MAX, WaitingQueue } from '../decide/waiting-queue.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState, Incident, PoolState } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'

interface PoolQueue {
  readonly queue: WaitingQueue
  /** In this pass. */
  readonly dealt: Map<WorkloadId, TargetChoice>
  /** Of those that were dealt something, who asked for it in this pass. */
  readonly asked: Set<WorkloadId>
  /** Of those that wait, who was given room in this pass. */
  readonly granted: Set<WorkloadId>
  /** Told to be put off, while the queue is full. */
  readonly putOff: Set<WorkloadId>
  isCriticalTold: boolean
  enteredCount: number
  placedCount: number
  putOffCount: number
  waitedMs: number
  waitedMsMax: number
}

export class WaitingDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #max: number
  readonly #pools = new Map<PoolId, PoolQueue>()

  constructor(state: CoordinatorState, outbox: Outbox, max = WAITING_MAX) {
    this.#state = state
    this.#outbox = outbox
    this.#max = max
  }

  /** Deals out room; call it before the pool's incidents are looked at. */
  begin(pool: PoolState, choose: (node: NodeState, workload: WorkloadId) => TargetChoice): void {
    const own = this.#pools.get(pool.id)
    if (own === undefined || own.queue.size === 0 || !pool.woken.has('capacity')) return
    for (const waiting of own.queue.inOrder()) {
      const incident = this.#incidentOf(pool, waiting)
      const { workload } = waiting
      if (incident === null) this.#leave(pool, own, waiting, 'it needs no other place any more')
      // What another rail refuses, or what moves already, keeps its place and needs no room now.
      else if (asksForRoom(incident) && !pool.flightOf.has(workload)) {
        const choice = choose(incident.node, workload)
        own.dealt.set(workload, choice)
        if (choice.ok) this.#state.ledger.reserve(workload, choice.target)
        const priority = this.#priorityOf(workload)
        if (!choice.ok || priority !== waiting.priority) {
          own.queue.add({ ...waiting, priority, why: choice.why })
        }
      }
    }
  }

  /** What the workload was dealt in this pass; undefined where nothing was. */
  answer(pool: PoolState, workload: WorkloadId): TargetChoice | undefined {
    const own = this.#pools.get(pool.id)
    const choice = own?.dealt.get(workload)
    if (choice !== undefined) own?.asked.add(workload)
    return choice
  }

  /** What became of a question: who has no room waits. */
  note(pool: PoolState, node: NodeState, workload: WorkloadId, choice: TargetChoice): void {
    const own = this.#pools.get(pool.id)
    if (choice.ok) {
      if (own?.queue.get(workload) !== undefined) own.granted.add(workload)
      return
    }
    const placement = this.#state.ledger.get(workload)
    const { incident } = node
    if (incident === null || placement === undefined || pool.flightOf.has(workload)) return
    this.#enter(pool, own ?? this.#open(pool.id), {
      workload,
      node: node.id,
      incidentId: incident.id,
      priority: placement.priority,
      needs: placement.needs,
      sinceMs: this.#outbox.nowMs,
      why: choice.why,
    })
  }

  /** Call it after the pool's incidents were looked at. */
  end(pool: PoolState): void {
    const own = this.#pools.get(pool.id)
    if (own === undefined) return
    for (const workload of own.granted) {
      const waiting = own.queue.get(workload)
      if (waiting !== undefined && pool.flightOf.has(workload)) this.#place(pool, own, waiting)
    }
    let [unusedCount, unservedCount] = [0, 0]
    for (const [workload, choice] of own.dealt) {
      if (pool.flightOf.has(workload)) continue
      if (choice.ok) {
        unusedCount++
        this.#state.ledger.unreserve(workload)
      } else unservedCount++
      this.#dropSilent(pool, own, workload)
    }
    own.dealt.clear()
    own.asked.clear()
    own.granted.clear()
    if (own.queue.size < this.#max) own.putOff.clear()
    this.#tellCritical(pool, own)
    if (unusedCount === 0 || unservedCount === 0) return
    pool.woken.add('capacity')
    pool.dirty = true
  }

  views(): readonly WaitingQueueView[] {
    return [...this.#pools].map(([pool, own]) => {
      const { queue, enteredCount, placedCount, putOffCount, waitedMs, waitedMsMax } = own
      const sinceMs = queue.sinceMs()
      const counts = Object.fromEntries(
        PRIORITIES.map((priority) => [priority, queue.count(priority)]),
      ) as Record<Priority, number>
      return {
        pool,
        counts,
        countMax: this.#max,
        oldestMs: sinceMs === null ? 0 : this.#outbox.nowMs - sinceMs,
        enteredCount,
        placedCount,
        putOffCount,
        waitedMs,
        waitedMsMax,
        waiting: queue.inOrder(),
      }
    })
  }

  /** The first `max` that have no room, of nodes as asked. */
  first(
    pool: PoolState,
    max: number,
    isAsked: (node: NodeState) => boolean,
  ): readonly WaitingWorkload[] {
    const queue = this.#pools.get(pool.id)?.queue
    if (queue === undefined || queue.size === 0) return []
    const found: WaitingWorkload[] = []
    for (const waiting of queue.inOrder()) {
      if (found.length === max) break
      const incident = this.#incidentOf(pool, waiting)
      if (incident === null || pool.flightOf.has(waiting.workload)) continue
      if (incident.refused.has('capacity') && isAsked(incident.node)) found.push(waiting)
    }
    return found
  }

  #enter(pool: PoolState, own: PoolQueue, waiting: WaitingWorkload): void {
    const { workload, priority, node, why } = waiting
    const isNew = own.queue.get(workload) === undefined
    const last = own.queue.add(waiting)
    if (!isNew) return
    if (last?.workload !== workload) {
      own.enteredCount++
      const others = own.queue.size - 1
      const said = `Workload ${workload} (${priority}) of node ${node} waits for room, with ${others} others`
      this.#journal(pool, waiting, 'waits', `${said}: ${why}.`)
    }
    if (last !== null) this.#putOff(pool, own, last)
  }

  /** Told once while the queue is full: it asks again whenever room may be there. */
  #putOff(pool: PoolState, own: PoolQueue, waiting: WaitingWorkload): void {
    const { workload, priority } = waiting
    if (own.putOff.has(workload) || own.putOff.size === this.#max) return
    own.putOff.add(workload)
    own.putOffCount++
    const why = `${this.#max} others wait that are more urgent or came before`
    this.#journal(
      pool,
      waiting,
      'put-off',
      `Workload ${workload} (${priority}) is put off: ${why}.`,
    )
  }

  #place(pool: PoolState, own: PoolQueue, waiting: WaitingWorkload): void {
    const waitedMs = this.#outbox.nowMs - waiting.sinceMs
    own.placedCount++
    own.waitedMs += waitedMs
    own.waitedMsMax = Math.max(own.waitedMsMax, waitedMs)
    own.queue.remove(waiting.workload)
    const said = `Workload ${waiting.workload} has room after it waited ${lasting(waitedMs)}.`
    this.#journal(pool, waiting, 'placed', said)
  }

  #leave(pool: PoolState, own: PoolQueue, waiting: WaitingWorkload, why: string): void {
    own.queue.remove(waiting.workload)
    const said = `Workload ${waiting.workload} waits for room no more: ${why}.`
    this.#journal(pool, waiting, 'left', said)
  }

  /** Its incident was looked at for want of room, and it did not ask: it would keep room from others. */
  #dropSilent(pool: PoolState, own: PoolQueue, workload: WorkloadId): void {
    const waiting = own.queue.get(workload)
    if (waiting === undefined || own.asked.has(workload)) return
    const incident = this.#incidentOf(pool, waiting)
    if (incident === null || !asksForRoom(incident)) return
    this.#leave(pool, own, waiting, 'nothing is tried for it now')
  }

  /** Null: nobody asks for it any more. */
  #incidentOf(pool: PoolState, { incidentId, workload, node }: WaitingWorkload): Incident | null {
    const incident = pool.incidents.get(incidentId)
    if (incident === undefined || incident.cause === 'release') return null
    return this.#state.ledger.get(workload)?.node === node ? incident : null
  }

  #priorityOf(workload: WorkloadId): Priority {
    return this.#state.ledger.get(workload)?.priority ?? 'NORMAL'
  }

  #journal(
    pool: PoolState,
    { workload, node, incidentId, priority, sinceMs }: WaitingWorkload,
    state: 'waits' | 'put-off' | 'placed' | 'left',
    reason: string,
  ): void {
    this.#outbox.journal({
      kind: 'waiting',
      pool: pool.id,
      incidentId,
      node,
      workload,
      reasons: [reason],
      evidence: [
        { what: 'state', value: state, limit: null },
        { what: 'priority', value: priority, limit: null },
        { what: 'waitedMs', value: this.#outbox.nowMs - sinceMs, limit: null },
      ],
    })
  }

  /** People are told once, until none waits any more. */
  #tellCritical({ id: pool }: PoolState, own: PoolQueue): void {
    const count = own.queue.count('CRITICAL')
    if (count > 0 === own.isCriticalTold) return
    own.isCriticalTold = count > 0
    const [first] = own.queue.inOrder()
    const message =
      count > 0
        ? `CRITICAL work of pool ${pool} waits for room, workload ${first.workload} first: ${first.why}.`
        : `No CRITICAL work of pool ${pool} waits for room any more.`
    this.#outbox.alert({
      kind: 'waiting',
      pool,
      node: null,
      cause: 'room:CRITICAL',
      severity: count > 0 ? 'critical' : 'info',
      message,
      incidentId: null,
      ...(count > 0 ? {} : { resolved: true }),
    })
  }

  #open(pool: PoolId): PoolQueue {
    const own: PoolQueue = {
      queue: new WaitingQueue(this.#max),
      dealt: new Map(),
      asked: new Set(),
      granted: new Set(),
      putOff: new Set(),
      isCriticalTold: false,
      enteredCount: 0,
      placedCount: 0,
      putOffCount: 0,
      waitedMs: 0,
      waitedMsMax: 0,
    }
    this.#pools.set(pool, own)
    return own
  }
}

/** After an operator's word nothing is known to be refused, and everything is asked anew. */
function asksForRoom({ refused }: Incident): boolean {
  return refused.size === 0 || refused.has('capacity')
}
