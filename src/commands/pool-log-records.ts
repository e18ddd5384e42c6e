/**
 * What the pool-log tells of nodes and workloads, with the log's time of it. The topic of placements is
 * compacted and forgets where work was; the pool-log has it as it came.
 */
import type { Bus, LogRecord } from '../core/bus.ts'
import { FoldClock } from '../core/clock.ts'
import { ServiceError } from '../core/errors.ts'
import { kindOf, logBody, type Tick } from '../core/log.ts'
import type { NodeEvent } from '../core/node.ts'
import { topicName, type Topology } from '../core/topics.ts'
import type { Placement } from '../core/workload.ts'
import { readTopic } from './topic-records.ts'

export type Told =
  | { readonly kind: 'placement'; readonly placement: Placement }
  | { readonly kind: 'node-fact'; readonly event: NodeEvent }

/** What one step of a driven clock may tell. */
const STEP_RECORDS_MAX = 1_000_000

/** In order by partition. Under a driven clock what comes before a step's ticks belongs to it. Gives the log's newest time. */
export async function readPoolLog(
  bus: Bus,
  topology: Topology,
  take: (told: Told, atMs: number) => void,
  onRecord: () => void,
  signal: AbortSignal,
): Promise<number> {
  const partitions = Array.from({ length: topology.poolPartitions }, () => ({
    clock: new FoldClock(topology.clock, topology.nodePartitions),
    waiting: [] as Told[],
  }))
  await readTopic(
    bus,
    topicName(topology, 'pool-log'),
    (record) => {
      onRecord()
      const { clock, waiting } = partitions[record.partition]
      clock.arrive(record.appendedAtMs)
      const told = toldBy(record)
      if (told !== null && topology.clock === 'arrival') take(told, clock.nowMs)
      else if (told !== null) {
        if (waiting.length >= STEP_RECORDS_MAX) throw tooMany()
        waiting.push(told)
      } else if (kindOf(record) === 'tick') {
        const { source, atMs, step } = logBody<Tick>(record)
        if (!clock.tick(source, atMs, step)) return
        for (const each of waiting.splice(0)) take(each, clock.nowMs)
      }
    },
    signal,
  )
  return Math.max(...partitions.map(({ clock }) => clock.nowMs))
}

function toldBy(record: LogRecord): Told | null {
  const kind = kindOf(record)
  if (kind === 'placement') return { kind, placement: logBody<Placement>(record) }
  return kind === 'node-fact' ? { kind, event: logBody<NodeEvent>(record) } : null
}

function tooMany(): ServiceError {
  const mend = 'drive it in smaller steps'
  return new ServiceError(
    'INPUT_INVALID',
    `one step of the clock tells more than ${STEP_RECORDS_MAX} facts and placements; ${mend}`,
  )
}
