/** CloudEvents 1.0 in Kafka's binary mode: attributes are headers, the body is the data. */
import type { Output } from './bus.ts'

export interface CloudEvent {
  readonly type: string
  readonly source: string
  /** Deterministic, so that a consumer can drop what it has seen. */
  readonly id: string
  readonly subject: string
  readonly atMs: number
}

export function cloudEventOutput(
  topic: string,
  partition: number,
  event: CloudEvent,
  body: unknown,
): Output {
  return {
    topic,
    partition,
    key: event.subject,
    value: JSON.stringify(body),
    headers: cloudEventHeaders(event, timeOf(event.atMs)),
  }
}

/** As CloudEvents write a time. Events come in bunches of one time, so the last one is remembered. */
export function timeOf(atMs: number): string {
  if (atMs !== lastAtMs) {
    lastTime = new Date(atMs).toISOString()
    lastAtMs = atMs
  }
  return lastTime
}
let lastAtMs = Number.NaN
let lastTime = ''

/** `time` comes from `timeOf`. */
export function cloudEventHeaders(
  event: Omit<CloudEvent, 'atMs'>,
  time: string,
  contentType = 'application/json',
): Readonly<Record<string, string>> {
  return {
    ce_specversion: '1.0',
    ce_type: event.type,
    ce_source: event.source,
    ce_id: event.id,
    ce_subject: event.subject,
    ce_time: time,
    ce_partitionkey: event.subject,
    'content-type': contentType,
  }
}
