/** Nodes: their classes (which metrics a kind of node has) and the events of their lives. */
import type { NodeId, PoolId } from './ids.ts'

/**
 * - `gauge`: a level. - `counter`: only grows; becomes a rate per second, a fall is a reset.
 * - `code`: a status that sticks; only its changes (edges) count.
 * - `signal`: a level that never stands still; its means count, and not its changes.
 */
export type MetricKind = 'gauge' | 'counter' | 'code' | 'signal'

/** The four parts of the health score and their weights (ARCHITECTURE: 40/30/20/10). */
export type HealthPart = 'network' | 'uptime' | 'resources' | 'trust'

export interface Metric {
  readonly name: string
  readonly unit: string
  readonly kind: MetricKind
  /** A value outside is missing, and counted as out of bounds. */
  readonly min: number | null
  readonly max: number | null
  /** Where the metric counts in health: 1 at or beyond `good`, 0 at or beyond `bad`, linear between. */
  readonly health: { readonly part: HealthPart; readonly good: number; readonly bad: number } | null
  /** The node's place among its cohort (pool × class × model) is a feature; needs `min` and `max`. */
  readonly peers: boolean
}

/**
 * A property of a node, taken from a label of its `join` event.
 * `number`: parsed. `category`: index in `values`, missing when unknown.
 * `since`: an epoch in ms; the feature is the hours from then to the row's time. With `error`, each
 * entry of that code in the node's error log moves the epoch.
 */
export interface Attribute {
  readonly name: string
  readonly label: string
  readonly kind: 'number' | 'category' | 'since'
  readonly values: readonly string[]
  readonly error: string | null
}

export interface NodeClass {
  readonly name: string
  readonly metrics: readonly Metric[]
  readonly attributes: readonly Attribute[]
  /** Three, rising, ms. */
  readonly halfLivesMs: readonly [number, number, number]
  /** `null`: this class sends no heartbeats and is never called silent (drives). */
  readonly heartbeatIntervalMs: number | null
  /** Silence is 3 missed heartbeats, within this window. */
  readonly detectionWindowMs: number
  /** Feature rows at times k × this. */
  readonly predictionIntervalMs: number
  /** `epoch`: grid times count from 1970; `first-sample`: from the node's first sample. */
  readonly gridOrigin: 'epoch' | 'first-sample'
}

export const METRICS_MAX = 64
export const ATTRIBUTES_MAX = 16
export const MISSED_HEARTBEATS = 3

export interface Gpu {
  readonly model: string
  readonly count: number
  readonly interconnect: string | null
}

export interface Capacity {
  readonly cpu: number
  readonly memoryBytes: number
  readonly gpu: Gpu | null
}

export interface Place {
  readonly zone: string | null
  readonly region: string | null
  readonly latitude: number | null
  readonly longitude: number | null
}

export interface JoinEvent {
  readonly kind: 'join'
  readonly node: NodeId
  readonly atMs: number
  readonly class: string
  readonly pool: PoolId
  readonly labels: Readonly<Record<string, string>>
  readonly place: Place
  readonly capacity: Capacity
}
export interface LeaveEvent {
  readonly kind: 'leave'
  readonly node: NodeId
  readonly atMs: number
}
/** A confirmed failure: a label for training and for the live record, and the end of the node. */
export interface FailureEvent {
  readonly kind: 'failure'
  readonly node: NodeId
  readonly atMs: number
  readonly failureKind: string
}
/** Changes of labels; `null` removes one. Label `pool` moves the node to another pool. */
export interface LabelsEvent {
  readonly kind: 'labels'
  readonly node: NodeId
  readonly atMs: number
  readonly labels: Readonly<Record<string, string | null>>
}
/** A sign of life of the node or of one of its components, without metrics. */
export interface HeartbeatEvent {
  readonly kind: 'heartbeat'
  readonly node: NodeId
  readonly atMs: number
  readonly component: string | null
}
/** One entry of the node's error log. */
export interface ErrorEvent {
  readonly kind: 'error'
  readonly node: NodeId
  readonly atMs: number
  readonly code: string
}
/** The node is being worked on from `atMs` to `untilMs`: report, do not act. */
export interface MaintenanceEvent {
  readonly kind: 'maintenance'
  readonly node: NodeId
  readonly atMs: number
  readonly untilMs: number
}

/** Work was moved off the node for a predicted failure. */
export interface MovedEvent {
  readonly kind: 'moved'
  readonly node: NodeId
  readonly atMs: number
}
/** The node was let back to work. */
export interface ReturnedEvent {
  readonly kind: 'returned'
  readonly node: NodeId
  readonly atMs: number
}

/**
 * Node-log record `intervention`. What rows in between foresaw, and those of a horizon before, is unknown
 * unless the failure came.
 */
export type Intervention = MovedEvent | ReturnedEvent

export type NodeEvent =
  | JoinEvent
  | LeaveEvent
  | FailureEvent
  | LabelsEvent
  | HeartbeatEvent
  | ErrorEvent
  | MaintenanceEvent

export function isIntervention(event: NodeEvent | Intervention): event is Intervention {
  return event.kind === 'moved' || event.kind === 'returned'
}
