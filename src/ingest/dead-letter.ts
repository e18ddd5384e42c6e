/** A record that could not be taken, as it came, with why and where in the headers. */
import type { LogRecord, Output } from '../core/bus.ts'
import type { Refusal } from './refusal.ts'

/** More than this of a record that is itself too large is not kept; the source has the rest. */
export const DEAD_LETTER_BYTES_MAX = 65_536
const DETAIL_CHARS_MAX = 500

export function deadLetter(
  topic: string,
  record: LogRecord,
  { reason, detail }: Refusal,
  refusedCount: number,
): Output {
  const { value } = record
  const cut = reason === 'too-large' && value !== null && value.length > DEAD_LETTER_BYTES_MAX
  const more = refusedCount > 1 ? ` (and ${refusedCount - 1} more in this record)` : ''
  const type = record.headers['content-type']
  return {
    topic,
    partition: record.partition,
    key: record.key,
    value: cut ? value.subarray(0, DEAD_LETTER_BYTES_MAX) : value,
    headers: {
      reason,
      detail: detail.slice(0, DETAIL_CHARS_MAX) + more,
      topic: record.topic,
      partition: String(record.partition),
      offset: String(record.offset),
      at: String(record.appendedAtMs),
      ...(cut ? { 'truncated-from': String(value.length) } : {}),
      ...(type === undefined ? {} : { 'content-type': type }),
    },
  }
}
