/** Alerts: what a person should know, and what operators say of it. */
import type { Evidence, Severity } from './fault.ts'
import type { IncidentId, NodeId, PoolId } from './ids.ts'

/** Body of a record in `alerts`. */
export interface AlertRecord {
  readonly kind:
    | 'failure'
    | 'prediction'
    | 'shared-cause'
    | 'attempts'
    | 'missed'
    | 'approval'
    | 'drift'
    | 'anomaly'
    | 'fault'
    | 'emergency'
    | 'split-brain'
    | 'ballot'
    | 'placement-conflict'
    /** CRITICAL work has no room. */
    | 'waiting'
  readonly pool: PoolId
  readonly node: NodeId | null
  readonly severity: Severity
  readonly message: string
  readonly incidentId: IncidentId | null
  /** Where no incident holds it. */
  readonly evidence?: readonly Evidence[]
  /** Of the node. */
  readonly zone?: string | null
  /** What it is about where that is no single node, e.g. `zone:z1`. */
  readonly cause?: string
  /** Those that the cause explains so far; at most `CAUSE_NODES_MAX`. */
  readonly nodes?: readonly NodeId[]
  /** It is over. Where an incident holds the alert, the end of the incident says so. */
  readonly resolved?: true
}

export const CAUSE_NODES_MAX = 1_000

/** As it is in the topic. */
export interface PublishedAlert extends AlertRecord {
  readonly alertId: string
  readonly atMs: number
}

/** What a silence looks at. */
export const MATCHED = ['fingerprint', 'kind', 'pool', 'node', 'cause', 'severity'] as const
/** Each a value, or its beginning with `*` behind it; all of them must match. */
export type Matchers = Readonly<Partial<Record<(typeof MATCHED)[number], string>>>

/** Keeps alerts from people until a time; said again under the same name it is changed, or withdrawn. */
export interface SilenceControl {
  readonly kind: 'silence'
  readonly pool: null
  readonly silence: string
  readonly withdrawn: boolean
  readonly matchers: Matchers
  /** Null only where it is withdrawn. */
  readonly untilMs: number | null
  readonly by: string
  readonly reason: string
}

/** Somebody has it in hand; when it comes again after its end, it is another one. */
export interface AcknowledgeControl {
  readonly kind: 'acknowledge'
  readonly pool: null
  readonly fingerprint: string
  readonly acknowledged: boolean
  readonly by: string
  readonly reason: string
}

/** The field that is wrong and the mend; null where nothing is. */
export function silenceProblem({
  withdrawn,
  matchers,
  untilMs,
}: Pick<SilenceControl, 'withdrawn' | 'matchers' | 'untilMs'>): {
  readonly path: string
  readonly message: string
} | null {
  if (withdrawn) return null
  if (untilMs === null) return { path: 'until', message: 'expected when the silence is over' }
  if (Object.values(matchers).some((value) => value !== undefined)) return null
  return { path: 'matchers', message: `name at least one of ${MATCHED.join(', ')}` }
}

export interface PageRules {
  readonly severityMin: Severity
  /** What still fires and nobody has acknowledged is told again after this. */
  readonly repeatMs: number
  /** A critical alert that nobody has acknowledged is told once more, escalated, after this. */
  readonly escalateMs: number
  /** In any minute; what is due beyond it goes into one digest. */
  readonly pagesPerMinute: number
}

/** What a page says of one group of alerts. */
export interface PagedGroup {
  readonly group: string
  readonly state: 'firing' | 'resolved'
  readonly severity: Severity
  readonly escalated: boolean
  /** `FINGERPRINT@SINCE` of each alert, so that one that is new is known to be. */
  readonly told: readonly string[]
}

/** Kept in the journal: what was sent is known after a restart. */
export interface PageRecord {
  readonly pageId: string
  /** Who has it; absent: every receiver, as it was before each had its own. */
  readonly to?: string
  readonly kind: 'page' | 'digest'
  readonly atMs: number
  readonly groups: readonly PagedGroup[]
}
