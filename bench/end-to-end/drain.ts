/**
 * How long a backlog of telemetry takes: through the service, and through the same two hops with
 * nothing done in between. Both begin at the first partition gained and end with the last commit.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Lease, LogRecord, Output } from '../../src/core/bus.ts'
import { assert } from '../../src/core/errors.ts'
import { topicName } from '../../src/core/topics.ts'
import { loadNodeClasses } from '../../src/config/node-classes.ts'
import { packagedNodeClasses } from '../../src/commands/package.ts'
import type { BenchDeployment } from './deployment.ts'
import {
  SAMPLE_INTERVAL_MS,
  SAMPLES_PER_MESSAGE,
  TelemetryLoad,
} from '../../src/commands/bench-load.ts'

/** Of what follows from the last samples, the commits begin within this. */
const COMMIT_WITHIN_MS = 100
const QUIET_MS = 1_000
const POLL_MS = 5
const LIMIT_MS = 120_000
const COPIER_WAIT_MS = 20
const COPIER_PENDING_MAX = 64
export interface Backlog {
  readonly nodeCount: number
  /** Samples of each node. */
  readonly rounds: number
  /** Arrow messages of a thousand samples, or JSON ones of one sample; Arrow when absent. */
  readonly format?: 'arrow' | 'json'
}

/** Writes the backlog as a fleet would have sent it until now; returns the number of samples. */
export async function writeBacklog(
  { bus, topology }: BenchDeployment,
  { nodeCount, rounds, format = 'arrow' }: Backlog,
): Promise<number> {
  const nodeClass = loadNodeClasses(packagedNodeClasses()).get('server')
  assert(nodeClass !== undefined, 'the class of servers is packaged')
  const load = new TelemetryLoad({ topology, nodeClass, nodeCount, seed: 7 })
  const startMs = Date.now() - rounds * SAMPLE_INTERVAL_MS
  for (let round = 0; round < rounds; round++) {
    const messages = Array.from({ length: load.groupCount }, (_, group) => {
      const shareMs = Math.floor((group / load.groupCount) * SAMPLE_INTERVAL_MS)
      const atMs = startMs + round * SAMPLE_INTERVAL_MS + shareMs
      return format === 'arrow' ? [load.message(group, atMs)] : load.jsonMessages(group, atMs)
    }).flat()
    await bus.produce(messages)
  }
  return rounds * load.groupCount * SAMPLES_PER_MESSAGE
}

export interface Drained {
  readonly elapsedMs: number
  readonly samples: number
  readonly totals: Readonly<Record<string, number>>
}

/** Until every sample is in a node's state and what followed from it is committed. */
export async function drainThroughService(
  deployment: BenchDeployment,
  samples: number,
): Promise<Drained> {
  const commits: { readonly beganAtMs: number; readonly endedAtMs: number }[] = []
  const troubles: unknown[] = []
  const service = await deployment.start({
    committed: (_role, _outcome, _outputs, elapsedMs) => {
      const endedAtMs = performance.now()
      commits.push({ beganAtMs: endedAtMs - elapsedMs, endedAtMs })
    },
    trouble: (_role, _partition, error) => void troubles.push(error),
    bug: (_role, _partition, error) => void troubles.push(error),
  })
  const beganAtMs = await reached(() => service.ready().ingest > 0)
  const foldedAtMs = await reached(() => {
    if (troubles.length > 0) throw troubles[0]
    return (service.totals()['sampleCount'] ?? 0) >= samples
  })
  await sleep(QUIET_MS)
  const last = commits.filter((each) => each.beganAtMs < foldedAtMs + COMMIT_WITHIN_MS)
  const endedAtMs = Math.max(foldedAtMs, ...last.map((each) => each.endedAtMs))
  const totals = service.totals()
  const folded = totals['sampleCount']
  assert(folded === samples, `${samples} samples went in and ${folded} are in the state`)
  return { elapsedMs: endedAtMs - beganAtMs, samples, totals }
}

/** When the condition came true. */
async function reached(condition: () => boolean): Promise<number> {
  const deadlineMs = performance.now() + LIMIT_MS
  while (!condition()) {
    assert(performance.now() < deadlineMs, `the backlog is not drained within ${LIMIT_MS} ms`)
    await sleep(POLL_MS)
  }
  return performance.now()
}

/** The same two transactional hops: the first copies each record, the second answers with an empty one. */
export async function drainThroughCopiers(
  { bus, topology }: BenchDeployment,
  samples: number,
): Promise<number> {
  const messages = samples / SAMPLES_PER_MESSAGE
  let [beganAtMs, lastAtMs, copied] = [0, 0, 0]
  const hop = (name: string, from: string, to: string, answer: (record: LogRecord) => Output) =>
    bus.join({
      group: `${topology.prefix}${name}`,
      role: name,
      topics: [from],
      claimTopic: null,
      onGained: (lease) => {
        if (beganAtMs === 0) beganAtMs = performance.now()
        void copyWhileOwned(lease, from, answer, (count) => {
          lastAtMs = performance.now()
          if (to.endsWith('pool-log')) copied += count
        })
      },
    })
  const [telemetry, nodeLog, poolLog] = (['telemetry', 'node-log', 'pool-log'] as const).map(
    (name) => topicName(topology, name),
  )
  const second = await hop('second', nodeLog, poolLog, ({ partition }) => {
    return { topic: poolLog, partition, key: null, value: new Uint8Array(0) }
  })
  beganAtMs = 0
  const first = await hop('first', telemetry, nodeLog, ({ partition, value }) => {
    return { topic: nodeLog, partition, key: null, value }
  })
  await reached(() => copied >= messages)
  await Promise.all([first.leave(), second.leave()])
  assert(copied === messages, `${messages} messages went in and ${copied} came out`)
  return lastAtMs - beganAtMs
}

/** Reads on while a transaction is under way, as the service does. */
async function copyWhileOwned(
  lease: Lease,
  topic: string,
  answer: (record: LogRecord) => Output,
  onCommitted: (count: number) => void,
): Promise<void> {
  let pending: Output[] = []
  let next = 0
  let inFlight: Promise<void> | null = null
  lease.start({})
  while (!lease.lost) {
    const records = await lease.take(COPIER_WAIT_MS)
    for (const record of records) pending.push(answer(record))
    next = records.at(-1)?.offset ?? next
    if (inFlight !== null && pending.length > COPIER_PENDING_MAX) await inFlight
    if (inFlight !== null || pending.length === 0) continue
    const outputs = pending
    pending = []
    inFlight = lease.commit(outputs, { [topic]: next + 1 }).then((outcome) => {
      assert(outcome === 'committed' || lease.lost, `a copier's commit ended ${outcome}`)
      onCommitted(outputs.length)
      inFlight = null
    })
  }
}
