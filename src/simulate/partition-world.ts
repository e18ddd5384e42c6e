/**
 * A network partition of a large pool, through the coordinator's fold: every node joins, all report whom
 * they reach, and from one round on a part of them reaches the rest no longer.
 */
import type { LogRecord, Output } from '../core/bus.ts'
import { toBytes, toText } from '../core/bytes.ts'
import type { JournalEntry } from '../core/command.ts'
import { assert } from '../core/errors.ts'
import type { ReachabilityReport } from '../core/evidence.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import { logOutput, type PoolLogKind } from '../core/log.ts'
import { DEFAULT_POLICY } from '../core/policy.ts'
import type { Topology } from '../core/topics.ts'
import { networkPartition } from '../detect/network-partition.ts'
import { valuesOf } from '../detect/settings.ts'
import { CoordinatorFold } from '../pipeline/coordinator.ts'
import { SIGNATURE } from './process.ts'

/** Each node tries so many others, at distances that spread over the whole pool. */
const PEERS = 10
const CUT_OFF_RATIO = 0.3
/** Rounds of reports before and after the cut, a second each. */
const ROUNDS_BEFORE = 2
const ROUNDS_MAX = 60
const SECOND_MS = 1_000
const START_MS = 1_763_600_000_000
const POOL = 'simulated' as PoolId
const TOPOLOGY: Topology = {
  prefix: 'partition.',
  nodePartitions: 1,
  poolPartitions: 1,
  clock: 'arrival',
  retentionMs: 86_400_000,
}

export interface PartitionSeen {
  /** Processing alone: from the last report that shows it to be certain, to the incident. */
  readonly seenMs: number
  /** Of the log, from the last report of the first round that shows it: it must last before it counts. */
  readonly lastedMs: number
  readonly stableForMs: number
  readonly told: string
}

export async function seePartition(
  kernel: WebAssembly.Module,
  nodeCount: number,
  clockMs: () => number,
): Promise<PartitionSeen> {
  const pool = new PoolLog(kernel)
  const names = Array.from({ length: nodeCount }, (_, i) => `node-${i}` as NodeId)
  await pool.append('claim', {})
  for (const node of names) await pool.append('node-fact', joinOf(node))
  const firstCut = Math.floor(nodeCount * (1 - CUT_OFF_RATIO))
  for (let round = 0; round < ROUNDS_BEFORE; round++) await pool.round(names, () => 0)
  const cutAtMs = pool.nowMs
  for (let round = 0; round < ROUNDS_MAX; round++) {
    await pool.reports(names, (index) => (index < firstCut ? 0 : 1))
    const beganMs = clockMs()
    const told = partitionIn(await pool.tick())
    const seenMs = clockMs() - beganMs
    if (told === null) continue
    const stableForMs = valuesOf(networkPartition, {}).stableFor
    return { seenMs, lastedMs: pool.nowMs - cutAtMs, stableForMs, told }
  }
  throw new Error('bug: a network partition was never seen')
}

class PoolLog {
  nowMs = START_MS
  readonly #fold: CoordinatorFold
  #offset = 0

  constructor(kernel: WebAssembly.Module) {
    this.#fold = new CoordinatorFold({
      partition: 0,
      topology: TOPOLOGY,
      kernel,
      policyFor: () => DEFAULT_POLICY,
      sign: () => SIGNATURE,
      source: '/partition',
    })
  }

  async append(kind: PoolLogKind, body: unknown): Promise<readonly Output[]> {
    const { topic, value, headers } = logOutput('partition.pool-log', 0, kind, null, body)
    assert(typeof value === 'string', 'records of the log are JSON')
    const record: LogRecord = {
      topic,
      partition: 0,
      key: null,
      offset: this.#offset++,
      appendedAtMs: this.nowMs,
      value: toBytes(value),
      headers: headers ?? {},
    }
    return this.#fold.fold(record)
  }

  async reports(names: readonly NodeId[], sideOf: (index: number) => number): Promise<void> {
    for (const index of names.keys())
      await this.append('evidence', reportOf(this.nowMs, names, index, sideOf))
  }

  async tick(): Promise<readonly Output[]> {
    this.nowMs += SECOND_MS
    return this.append('tick', { source: 0, atMs: 0, step: 0 })
  }

  async round(names: readonly NodeId[], sideOf: (index: number) => number): Promise<void> {
    await this.reports(names, sideOf)
    await this.tick()
  }
}

function joinOf(node: NodeId): unknown {
  const place = { zone: null, region: null, latitude: null, longitude: null }
  const capacity = { cpu: 1, memoryBytes: 1, gpu: null }
  const body = { kind: 'join', node, atMs: START_MS, class: 'server', pool: POOL, labels: {} }
  return { ...body, place, capacity }
}

function reportOf(
  atMs: number,
  names: readonly NodeId[],
  index: number,
  sideOf: (index: number) => number,
): ReachabilityReport {
  const [reachable, unreachable]: [NodeId[], NodeId[]] = [[], []]
  for (let i = 1; i <= PEERS; i++) {
    const peer = (index + i * i * 97) % names.length
    ;(sideOf(peer) === sideOf(index) ? reachable : unreachable).push(names[peer])
  }
  return { kind: 'reachability', pool: POOL, node: names[index], atMs, reachable, unreachable }
}

/** What people are told of it, in the journal; null while they are not. */
function partitionIn(outputs: readonly Output[]): string | null {
  for (const { topic, value } of outputs) {
    if (!topic.endsWith('.journal') || value === null) continue
    const entry = JSON.parse(typeof value === 'string' ? value : toText(value)) as JournalEntry
    if (entry.kind === 'incident-opened' && entry.faultKind === 'network-partition') {
      return entry.reasons[0]
    }
  }
  return null
}
