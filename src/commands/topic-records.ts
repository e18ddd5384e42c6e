/** Reads a topic as it is at this moment, for commands that answer and end. */
import type { Bus, LogRecord } from '../core/bus.ts'

const WAIT_MS = 500
/** A log may end with records that are gone or were aborted: a long wait without any is its end, too. */
const EMPTY_WAITS_MAX = 10

/** Every record that is kept, in order per partition; ends early when the signal aborts. */
export async function readTopic(
  bus: Bus,
  topic: string,
  onRecord: (record: LogRecord) => void,
  signal?: AbortSignal,
): Promise<void> {
  const [starts, ends] = [await bus.starts(topic), await bus.ends(topic)]
  const next = [...starts]
  const reader = await bus.read({ topic, from: 'start' })
  try {
    for (let empty = 0; empty < EMPTY_WAITS_MAX;) {
      const isOver = next.every((offset, partition) => offset >= ends[partition])
      if (isOver || signal?.aborted === true) return
      const records = await reader.take(WAIT_MS)
      empty = records.length === 0 ? empty + 1 : 0
      for (const record of records) {
        next[record.partition] = record.offset + 1
        onRecord(record)
      }
    }
  } finally {
    await reader.close()
  }
}
