/** The kinds of records in the two internal logs and on the clock topic, and how they are marked. */
import { toText } from './bytes.ts'
import type { LogRecord, Output } from './bus.ts'

/** Header that names the kind of an internal record. */
export const KIND = 'kind'

export type NodeLogKind =
  | 'samples'
  | 'node-event'
  | 'cohort-table'
  | 'model'
  | 'intervention'
  | 'policies'
  | 'watermark'
  | 'tick'
  | 'claim'

export type PoolLogKind =
  | 'assessment'
  | 'node-fact'
  | 'evidence'
  | 'cohort-counts'
  | 'result'
  | 'placement'
  | 'vote'
  | 'control'
  | 'withheld'
  | 'freeze'
  | 'shard-rules'
  | 'shard-page'
  | 'model-outcomes'
  | 'model-refused'
  | 'model-proposal'
  | 'model-hold-out'
  | 'tick'
  | 'claim'

/** Moves time. Arrival clock: the record's append time counts. Driven: `atMs` of the source. */
export interface Tick {
  /** Driven: the ingest (node-log) or watcher (pool-log) partition that forwards it; arrival: the owner. */
  readonly source: number
  readonly atMs: number
  /** Driven: counts the driver's steps from 1; arrival: 0. */
  readonly step: number
}

/** Ingest partition `source` has forwarded everything that reached the public topics by `atMs`. */
export interface Watermark {
  readonly source: number
  /** Append time of the last forwarded record; `null` when caught up, then the record's own append time minus `delayMs` counts. */
  readonly atMs: number | null
  readonly delayMs: number
}

export interface Claim {
  readonly role: string
  readonly owner: string
}

/** On the public clock topic. `step`: from the driver, in every partition. `done`: from coordinators. */
export type ClockRecord =
  | {
      readonly kind: 'step'
      readonly step: number
      readonly atMs: number
      /** Topic → per partition the end offset when the step was published: all before it belongs to it. */
      readonly until: Readonly<Record<string, readonly number[]>>
    }
  | {
      readonly kind: 'done'
      readonly poolPartition: number
      readonly step: number
      /** Commands this pool-log partition has sent since its log began. */
      readonly commandCount: number
    }

export function kindOf(record: LogRecord): string | undefined {
  return record.headers[KIND]
}

/** A record of an internal log with a JSON body. */
export function logOutput(
  topic: string,
  partition: number,
  kind: NodeLogKind | PoolLogKind,
  key: string | null,
  body: unknown,
): Output {
  return { topic, partition, key, value: JSON.stringify(body), headers: { [KIND]: kind } }
}

/** Parses the JSON body of a record that we wrote ourselves. Anything else in it is a bug. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the kind says which body it is
export function logBody<Body>(record: LogRecord): Body {
  if (record.value === null) throw new Error(`bug: no value at ${where(record)}`)
  return JSON.parse(toText(record.value)) as Body
}

export function where(record: { topic: string; partition: number; offset: number }): string {
  return `${record.topic}[${record.partition}]@${record.offset}`
}
