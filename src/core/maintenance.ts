/** Maintenance windows: what operators announce, and what is wrong with an announcement. */
import type { NodeId, PoolId } from './ids.ts'
import { formatDuration } from './time.ts'

/** The longest that a maintenance window may last. */
export const WINDOW_MS_MAX = 30 * 86_400_000

/**
 * A maintenance window, said ahead of time; said again under the same name it is changed, or withdrawn.
 * With `node` or `zone` it is of these (of one pool where `pool` names one), else of the whole pool.
 */
export interface MaintenanceControl {
  readonly kind: 'maintenance'
  readonly pool: PoolId | null
  /** Its name, chosen by who says it. */
  readonly window: string
  readonly withdrawn: boolean
  readonly node: NodeId | null
  readonly zone: string | null
  /** Null: at once. */
  readonly startMs: number | null
  /** Null only where it is withdrawn. */
  readonly endMs: number | null
  /** `everything`: recovery too, for what is expected to fall silent. */
  readonly holds: 'preemptive' | 'everything'
  readonly by: string
  readonly reason: string
}

/** A window as its coordinator knows it, beside the line of the journal that tells what became of it. */
export interface WindowRecord extends Omit<
  MaintenanceControl,
  'kind' | 'withdrawn' | 'startMs' | 'endMs'
> {
  readonly startMs: number
  readonly endMs: number
  readonly state: 'planned' | 'running' | 'ended' | 'withdrawn'
}

/** The field that is wrong and the mend; null where nothing is. */
export function windowProblem({
  withdrawn,
  node,
  zone,
  pool,
  startMs,
  endMs,
}: Omit<MaintenanceControl, 'node' | 'pool' | 'kind'> & {
  readonly node: string | null
  readonly pool: string | null
}): { readonly path: string; readonly message: string } | null {
  if (withdrawn) return null
  if (node !== null && zone !== null) {
    return { path: 'zone', message: 'a window is of a node or of a zone: leave one of them out' }
  }
  if (node === null && zone === null && pool === null) {
    return { path: 'node', message: 'name what is worked on: `node`, `zone` or `pool`' }
  }
  if (endMs === null) return { path: 'end', message: 'expected when the window is over' }
  if (startMs === null) return null
  if (endMs <= startMs) return { path: 'end', message: 'expected a time after `start`' }
  return endMs - startMs > WINDOW_MS_MAX ? { path: 'end', message: TOO_LONG } : null
}

export const TOO_LONG = `expected at most ${formatDuration(WINDOW_MS_MAX)} after \`start\`: announce the rest as another window`
