/** Metrics of a process in which everything runs that has figures. */
import type { ClassModels } from '../../src/core/model-life.ts'
import type { RailFigures } from '../../src/core/rail-figures.ts'
import type { ShardFigures } from '../../src/core/shard.ts'
import type { WaitingFigures } from '../../src/core/waiting.ts'
import type { ModelId, PoolId } from '../../src/core/ids.ts'
import type { RoleFigures } from '../../src/http/live-metrics.ts'
import { Metrics } from '../../src/http/metrics.ts'
import { command, outputRecord, result, TOPOLOGY } from './console.ts'

const EMPTY = { recordCount: 0, bytes: 0, bytesMax: 1_000, paused: false }

export const ROLES: readonly RoleFigures[] = [
  {
    role: 'watcher',
    partition: 0,
    stats: { sampleCount: 40 },
    lagRecords: null,
    buffer: EMPTY,
    pendingOutputs: 0,
  },
  {
    role: 'watcher',
    partition: 1,
    stats: { sampleCount: 2, nodeCount: 3 },
    lagRecords: 5,
    buffer: { recordCount: 9, bytes: 1_024, bytesMax: 1_000, paused: true },
    pendingOutputs: 7,
  },
  {
    role: 'coordinator',
    partition: 1,
    stats: { poolCount: 3, 'threshold/raised': 2 },
    lagRecords: null,
    buffer: EMPTY,
    pendingOutputs: 0,
  },
]

export const SHARDS: ShardFigures = {
  pool: 'web' as PoolId,
  shardCount: 64,
  nodeCount: 4,
  perNodeMax: 20,
  perNodeMean: 16,
  perNodeMin: 12,
  loadRatioMax: 1.25,
  boundRatio: 1.25,
  nodesOverBound: 1,
  withoutOwner: 2,
  unplaced: 3,
  deferred: 4,
  waitingNodes: 5,
  moves: { 'first-placement': 64, 'node-failed': 16 },
}

const FIGURES = { threshold: 0.5, recall: 0.4, falseAlarmsPer1000NodeMonths: 4, brier: 0.01 }

export const CLASS_MODELS: ClassModels = {
  nodeClass: 'server',
  atMs: 1_000,
  champion: 'a'.repeat(64) as ModelId,
  previous: null,
  challenger: 'b'.repeat(64) as ModelId,
  trial: 'challenge',
  canaryPools: [],
  sinceMs: 0,
  failureCount: 21,
  exposureMs: 3_600_000,
  movedRowCount: 12,
  movedWeight: 0,
  figures: { champion: FIGURES, challenger: { ...FIGURES, recall: 0.5 } },
  proposals: {
    champion: { proposalCount: 20, overriddenCount: 5 },
    challenger: { proposalCount: 0, overriddenCount: 0 },
  },
  holdOuts: {
    champion: { count: 4, failureCount: 1, precision: 0.25 },
    challenger: { count: 0, failureCount: 0, precision: null },
  },
  overruled: false,
  leadTimeMs: 90_000,
  drift: { atMs: 900, drifted: true, score: 0.3, features: [], featureShare: 0.2 },
  lastChange: 'Model b challenges a.',
}

const RAIL_FIGURES: RailFigures = {
  pool: 'web' as PoolId,
  refused: new Map([['budget', 6]]),
  budgetNodes: 3,
  budgetNodesMax: 4,
  zoneAlarmingRatio: 0.25,
  zoneAlarmingRatioMax: 0.3,
  commandsInFlight: 7,
  stopped: true,
  emergency: true,
  failingRatio: 0.4,
  failingRatioMax: 0.33,
  hasQuorum: false,
  pausedNodes: 9,
  resync: {
    running: true,
    blockCount: 40,
    verifiedCount: 30,
    repairedCount: 4,
    unverifiedCount: 1,
  },
}

const WAITING: WaitingFigures = {
  pool: 'web' as PoolId,
  counts: { CRITICAL: 1, HIGH: 0, NORMAL: 4, LOW: 0 },
  countMax: 10_000,
  oldestMs: 9_000,
  enteredCount: 8,
  placedCount: 3,
  putOffCount: 2,
  waitedMs: 60_000,
  waitedMsMax: 30_000,
}

/** As a process has it that has just started. */
export function freshMetrics(): Metrics {
  return new Metrics({
    topology: TOPOLOGY,
    roles: () => ROLES,
    shards: () => [SHARDS],
    rails: () => [RAIL_FIGURES],
    waiting: () => [WAITING],
    intake: () => new Map([['test.telemetry', { recordCount: 3, byteCount: 900 }]]),
    bus: () => ({ connected: true, reconnectCount: 2, lastError: null, stuckLeaseCount: 0 }),
    guards: () => [
      {
        target: 'webhook',
        state: 'half-open',
        failingSinceMs: 1_000,
        lastError: 'it answered 500',
        calls: { succeeded: 4, failed: 5, retried: 3, refused: 2 },
      },
    ],
    config: () => ({
      said: null,
      pools: [{ pool: 'web', state: 'taken-back', sinceMs: 1_000 }],
      takenBackCount: 1,
    }),
    degraded: () => [{ mode: 'history-off', sinceMs: 1_000, lost: 'history', detail: 'ENOSPC' }],
  })
}

/** With one of each thing that is counted, so that every label is there. */
export function createMetrics(): Metrics {
  const metrics = freshMetrics()
  metrics.transaction('watcher', 'committed', 12)
  metrics.pageTried('webhook', 'failed')
  metrics.fold(outputRecord('dead-letter', {}, { headers: { reason: 'not-json' } }))
  metrics.fold(outputRecord('journal', { kind: 'refusal', rail: 'mode', evidence: [] }))
  const evidence = [{ what: 'outcome', value: 'missed', limit: null }]
  metrics.fold(outputRecord('journal', { kind: 'outcome', evidence }))
  metrics.fold(outputRecord('commands.recovery', command('c1', { action: 'recover' })))
  metrics.fold(outputRecord('results', result('c1', 'verified', 5_000)))
  metrics.fold(outputRecord('models', CLASS_MODELS))
  return metrics
}
