/**
 * How long a backlog of telemetry takes: through the service, and through the same two hops with
 * nothing done in between. Both begin at the first partition gained and end with the last commit.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type LoadPath,
  SAMPLE_INTERVAL_MS,
  SAMPLES_PER_MESSAGE,
  TelemetryLoad,
} from '../../src/commands/bench-load.ts'
import type { Lease, LogRecord, Output } from '../../src/core/bus.ts'
import { assert } from '../../src/core/errors.ts'
import { topicName } from '../../src/core/topics.ts'
import type { RoleEvents } from '../../src/pipeline/role.ts'
import { loadKernel } from '../../src/commands/package.ts'
import type { BenchDeployment } from './deployment.ts'
import { servedModel } from './model.ts'

/** Of what follows from the last samples, the commits begin within this. */
const COMMIT_WITHIN_MS = 100
const QUIET_MS = 1_000
const POLL_MS = 5
const LIMIT_MS = 180_000
const COPIER_WAIT_MS = 20
const COPIER_PENDING_MAX = 64
/** Messages that are produced at once while a backlog is written. */
const MESSAGES_AT_ONCE = 32
const JSON_MESSAGES_AT_ONCE = 10_000

export interface Backlog {
  readonly nodeCount: number
  /** Samples of each node. */
  readonly rounds: number
  /** Arrow messages of a thousand samples, or JSON ones of one sample; Arrow when absent. */
  readonly format?: 'arrow' | 'json'
  /** Public when absent. */
  readonly path?: LoadPath
}

/** Writes the backlog as a fleet would have sent it until now; returns the number of samples. */
export async function writeBacklog(
  { bus, topology, nodeClass }: BenchDeployment,
  { nodeCount, rounds, format = 'arrow', path = 'public' }: Backlog,
): Promise<number> {
  const load = new TelemetryLoad({ topology, nodeClass, nodeCount, seed: 7, path })
  const startMs = Date.now() - rounds * SAMPLE_INTERVAL_MS
  const most = format === 'arrow' ? MESSAGES_AT_ONCE : JSON_MESSAGES_AT_ONCE
  let messages: Output[] = []
  for (let sent = 0; sent < rounds * load.groupCount; sent++) {
    const group = sent % load.groupCount
    const atMs = startMs + Math.floor((sent / load.groupCount) * SAMPLE_INTERVAL_MS)
    if (format === 'arrow') messages.push(load.message(group, atMs))
    else messages.push(...load.jsonMessages(group, atMs))
    if (messages.length < most) continue
    await bus.produce(messages)
    messages = []
  }
  if (messages.length > 0) await bus.produce(messages)
  return rounds * load.groupCount * SAMPLES_PER_MESSAGE
}

export interface Drained {
  readonly elapsedMs: number
  readonly totals: Readonly<Record<string, number>>
}

/** Until every sample is in a node's state and what followed from it is committed. */
export async function drainThroughService(
  deployment: BenchDeployment,
  samples: number,
  path: LoadPath = 'public',
): Promise<Drained> {
  const commits: { readonly beganAtMs: number; readonly endedAtMs: number }[] = []
  const troubles: unknown[] = []
  const model = servedModel(await loadKernel(), deployment.nodeClass)
  const events: RoleEvents = {
    committed: (_role, _outcome, _outputs, elapsedMs) => {
      const endedAtMs = performance.now()
      commits.push({ beganAtMs: endedAtMs - elapsedMs, endedAtMs })
    },
    trouble: (_role, _partition, error) => void troubles.push(error),
    bug: (_role, _partition, error) => void troubles.push(error),
  }
  const { service } = await deployment.start(events, { model })
  // The role that reads the backlog; on the direct path ingest has nothing to read.
  const reads = path === 'public' ? 'ingest' : 'watcher'
  const beganAtMs = await reached(() => service.ready()[reads] > 0)
  const foldedAtMs = await reached(() => {
    if (troubles.length > 0) throw troubles[0]
    return (service.totals()['sampleCount'] ?? 0) >= samples
  })
  const totals = service.totals()
  await sleep(QUIET_MS)
  const last = commits.filter((each) => each.beganAtMs < foldedAtMs + COMMIT_WITHIN_MS)
  const endedAtMs = Math.max(foldedAtMs, ...last.map((each) => each.endedAtMs))
  // Fewer would be no loss: a partition that a busy machine gave up meanwhile is folded anew.
  const folded = Math.max(totals['sampleCount'], service.totals()['sampleCount'] ?? 0)
  assert(folded === samples, `${samples} samples went in and ${folded} are in the state`)
  await service.stop()
  return { elapsedMs: endedAtMs - beganAtMs, totals }
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

/**
 * The same two transactional hops: the first copies each record, the second answers with an empty
 * one. Both write to topics of their own, so that the backlog can be drained again.
 */
export async function drainThroughCopiers(
  deployment: BenchDeployment,
  samples: number,
): Promise<number> {
  const { bus } = deployment
  const beside = await deployment.createBeside('copied')
  const messages = samples / SAMPLES_PER_MESSAGE
  let [beganAtMs, lastAtMs, copied] = [0, 0, 0]
  const hop = (name: string, from: string, to: string, answer: (record: LogRecord) => Output) =>
    bus.join({
      group: `${beside.prefix}${name}`,
      role: `copied-${name}`,
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
  const [nodeLog, poolLog] = (['node-log', 'pool-log'] as const).map((name) => {
    return topicName(beside, name)
  })
  const telemetry = topicName(deployment.topology, 'telemetry')
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
