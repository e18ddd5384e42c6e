/**
 * Maintenance windows that operators have announced. Which of them run is turned by the log's time, and
 * a node is looked up by its own name, its zone and its pool, so that many windows cost a look no more.
 */
import type { NodeId, PoolId } from '../core/ids.ts'
import type { WindowRecord } from '../core/maintenance.ts'

/** Windows that are planned or running in one coordinator; a further one is refused. */
export const WINDOWS_MAX = 1_000

/** What a window may be about. */
export interface Place {
  readonly id: NodeId
  readonly zone: string | null
  readonly pool: PoolId
}

export class MaintenanceWindows {
  readonly #windows = new Map<string, WindowRecord>()
  /** Those that run, by what they are about. */
  readonly #running = new Map<string, Set<WindowRecord>>()
  /** Nothing begins or ends before then. */
  #nextMs = Number.POSITIVE_INFINITY

  get size(): number {
    return this.#windows.size
  }

  get(window: string): WindowRecord | undefined {
    return this.#windows.get(window)
  }

  /** Takes the place of one of the same name. False: there are `WINDOWS_MAX` of them. */
  set(window: WindowRecord): boolean {
    if (!this.#windows.has(window.window) && this.#windows.size >= WINDOWS_MAX) return false
    this.remove(window.window)
    this.#windows.set(window.window, { ...window, state: 'planned' })
    this.#nextMs = Math.min(this.#nextMs, window.startMs)
    return true
  }

  remove(name: string): WindowRecord | undefined {
    const window = this.#windows.get(name)
    if (window === undefined) return undefined
    this.#windows.delete(name)
    const key = keyOf(window)
    const running = this.#running.get(key)
    if (running?.delete(window) === true && running.size === 0) this.#running.delete(key)
    return window
  }

  /** Those that have begun and ended by now, in the order in which they were announced. */
  turn(nowMs: number): readonly WindowRecord[] {
    if (nowMs < this.#nextMs) return []
    const turned: WindowRecord[] = []
    this.#nextMs = Number.POSITIVE_INFINITY
    for (const window of this.#windows.values()) {
      if (nowMs >= window.endMs) {
        this.remove(window.window)
        turned.push({ ...window, state: 'ended' })
      } else if (window.state === 'planned' && nowMs >= window.startMs) {
        turned.push(this.#begin(window))
      }
      const dueMs = nowMs < window.startMs ? window.startMs : window.endMs
      if (nowMs < dueMs) this.#nextMs = Math.min(this.#nextMs, dueMs)
    }
    return turned
  }

  /** Of the windows that run for the node the one that holds most, and of these the one that ends last. */
  holding(node: Place): WindowRecord | null {
    let most: WindowRecord | null = null
    for (const window of this.#of(node)) {
      if (most === null || weight(window) > weight(most)) most = window
    }
    return most
  }

  /** A window of the node or of its zone runs; that of a whole pool would leave no place for work. */
  isWorkedOn(node: Place): boolean {
    for (const window of this.#of(node)) {
      if (window.node !== null || window.zone !== null) return true
    }
    return false
  }

  *#of({ id, zone, pool }: Place): Iterable<WindowRecord> {
    if (this.#running.size === 0) return
    for (const key of [`node:${id}`, `zone:${zone}`, `pool:${pool}`]) {
      for (const window of this.#running.get(key) ?? []) {
        if (window.pool === null || window.pool === pool) yield window
      }
    }
  }

  #begin(planned: WindowRecord): WindowRecord {
    const window: WindowRecord = { ...planned, state: 'running' }
    this.#windows.set(window.window, window)
    const key = keyOf(window)
    const running = this.#running.get(key) ?? new Set()
    running.add(window)
    this.#running.set(key, running)
    return window
  }
}

function keyOf({ node, zone, pool }: WindowRecord): string {
  if (node !== null) return `node:${node}`
  return zone === null ? `pool:${pool}` : `zone:${zone}`
}

function weight({ holds, endMs }: WindowRecord): number {
  return holds === 'everything' ? Number.MAX_SAFE_INTEGER / 2 + endMs / 2 : endMs / 2
}
