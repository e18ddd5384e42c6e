/** Reads a topic as it is at this moment, for commands that answer and end. */
import type { Bus, LogRecord } from '../core/bus.ts'

const WAIT_MS = 50
/** Records may be deleted while they are read: a long wait without any is the end, too. */
const EMPTY_WAITS_MAX = 100

/** Every record that is kept, in order per partition; ends early when the signal aborts. */
export async function readTopic(
  bus: Bus,
  topic: string,
  onRecord: (record: LogRecord) => void,
  signal?: AbortSignal,
): Promise<void> {
  const ends = await bus.ends(topic)
  const reader = await bus.read({ topic, from: 'start' })
  try {
    for (let empty = 0; empty < EMPTY_WAITS_MAX;) {
      if (reader.reached(ends) || signal?.aborted === true) return
      const records = await reader.take(WAIT_MS)
      empty = records.length === 0 ? empty + 1 : 0
      for (const record of records) onRecord(record)
    }
  } finally {
    await reader.close()
  }
}
