/** Keeps the read models and the metrics of a console up to date from the output topics. */
import type { Bus, Reader } from '../core/bus.ts'
import { topicName, type TopicName, type Topology } from '../core/topics.ts'
import { METRIC_TOPICS, type Metrics } from '../http/metrics.ts'
import { type ConsoleViews, VIEW_TOPICS } from '../store/views.ts'

const WAIT_MS = 500

export interface ConsoleFeed {
  close(): Promise<void>
}

/** Reads each topic from its start, so that a restarted console shows the same. */
export async function feedConsole(
  bus: Bus,
  topology: Topology,
  views: ConsoleViews,
  metrics: Metrics,
): Promise<ConsoleFeed> {
  const names = [...new Set<TopicName>([...VIEW_TOPICS, ...METRIC_TOPICS])]
  const readers: Reader[] = []
  const loops: Promise<void>[] = []
  const closed = new AbortController()
  for (const name of names) {
    const reader = await bus.read({ topic: topicName(topology, name), from: 'start' })
    readers.push(reader)
    const viewed = VIEW_TOPICS.some((topic) => topic === name)
    const metered = METRIC_TOPICS.some((topic) => topic === name)
    loops.push(
      (async () => {
        while (!closed.signal.aborted) {
          for (const record of await reader.take(WAIT_MS)) {
            if (viewed) views.fold(record)
            if (metered) metrics.fold(record)
          }
        }
      })(),
    )
  }
  return {
    close: async () => {
      closed.abort()
      await Promise.all(readers.map((reader) => reader.close()))
      await Promise.all(loops)
    },
  }
}
