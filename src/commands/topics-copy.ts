/**
 * Takes what a fleet has said of itself over to another deployment, when the number of partitions
 * grows: nodes that live, each as one join, and where workloads run. Statistics are not taken over,
 * they warm up again; past failures are not either, or they would be answered a second time.
 */
import type { Bus, Lease, LogRecord, Membership, Output } from '../core/bus.ts'
import { toText } from '../core/bytes.ts'
import { KIND, logBody } from '../core/log.ts'
import type { PoolId } from '../core/ids.ts'
import type { JoinEvent, NodeEvent } from '../core/node.ts'
import { partitionOf } from '../core/partition.ts'
import { topicName, type Topology } from '../core/topics.ts'

const WAIT_MS = 200

export interface Copied {
  readonly nodes: number
  readonly placements: number
}

/** The deployment `from` must be drained and stopped; running it again changes nothing. */
export async function runTopicsCopy(bus: Bus, from: string, to: Topology): Promise<Copied> {
  const living = new Map<string, JoinEvent | null>()
  const latest = new Map<string, NodeEvent>()
  await readToEnd(bus, `${from}pool-log`, `${to.prefix}copy-nodes`, (record) => {
    if (record.headers[KIND] !== 'node-fact') return
    const event = logBody<NodeEvent>(record)
    if ((latest.get(event.node)?.atMs ?? -Infinity) > event.atMs) return
    latest.set(event.node, event)
    living.set(event.node, afterFact(living.get(event.node) ?? null, event))
  })
  const placements = new Map<string, LogRecord>()
  await readToEnd(bus, `${from}placements`, `${to.prefix}copy-placements`, (record) => {
    const workload = record.key === null ? '' : toText(record.key)
    if (record.value === null) placements.delete(workload)
    else placements.set(workload, record)
  })
  const joins = [...living.values()].filter((join) => join !== null)
  await bus.produce([
    ...joins.map((join) => copyOf(to, 'events', join.node, JSON.stringify(join), {})),
    ...[...placements].map(([workload, { value, headers }]) =>
      copyOf(to, 'placements', workload, value, headers),
    ),
  ])
  return { nodes: joins.length, placements: placements.size }
}

/** A node as it would have to join to be what it is after this. */
function afterFact(join: JoinEvent | null, event: NodeEvent): JoinEvent | null {
  if (event.kind === 'join') return event
  if (event.kind === 'leave' || event.kind === 'failure') return null
  if (event.kind !== 'labels' || join === null) return join
  const labels = Object.entries({ ...join.labels, ...event.labels })
  const kept = labels.flatMap(([name, text]) => (text === null ? [] : [[name, text] as const]))
  const pool = (event.labels['pool'] ?? join.pool) as PoolId
  return { ...join, pool, labels: Object.fromEntries(kept) }
}

function copyOf(
  to: Topology,
  name: 'events' | 'placements',
  key: string,
  value: Output['value'],
  headers: LogRecord['headers'],
): Output {
  const partition = partitionOf(key, to.nodePartitions)
  return { topic: topicName(to, name), partition, key, value, headers }
}

/** A member of a group, because only a lease knows for certain that it is at the end. */
async function readToEnd(
  bus: Bus,
  topic: string,
  group: string,
  onRecord: (record: LogRecord) => void,
): Promise<void> {
  const starts = await bus.starts(topic)
  const left = new Set(starts.keys())
  const follow = async (lease: Lease): Promise<void> => {
    lease.start({ [topic]: starts[lease.partition] })
    while (!lease.lost) {
      const records = await lease.take(WAIT_MS)
      for (const record of records) onRecord(record)
      if (records.length > 0 || (await lease.behind()) > 0) continue
      left.delete(lease.partition)
      return
    }
  }
  let membership: Membership | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      const onGained = (lease: Lease): void => {
        follow(lease).then(() => {
          if (left.size === 0) resolve()
        }, reject)
      }
      const options = { group, role: group, topics: [topic], claimTopic: null, onGained }
      bus.join(options).then((joined) => (membership = joined), reject)
    })
  } finally {
    await membership?.leave()
  }
}
