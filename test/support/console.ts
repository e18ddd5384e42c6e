/** A console without a service: records are folded by hand, what is produced is kept. */
import type { LogRecord, Output } from '../../src/core/bus.ts'
import { toBytes } from '../../src/core/bytes.ts'
import type { Topology } from '../../src/core/topics.ts'
import { createApp } from '../../src/http/app.ts'
import type { AppPorts } from '../../src/http/app.ts'
import { ConsoleViews } from '../../src/store/views.ts'
import type { ViewLimits } from '../../src/store/views.ts'
import { newRing } from './ring.ts'

export const TOPOLOGY: Topology = {
  prefix: 'test.',
  nodePartitions: 4,
  poolPartitions: 2,
  clock: 'arrival',
  retentionMs: 60_000,
}

/** One record of an output topic, at made-up coordinates. */
export function outputRecord(
  topic: string,
  body: object | null,
  more: Partial<LogRecord> = {},
): LogRecord {
  return {
    topic: TOPOLOGY.prefix + topic,
    partition: 0,
    offset: 0,
    appendedAtMs: 1_000,
    key: null,
    value: body === null ? null : toBytes(JSON.stringify(body)),
    headers: {},
    ...more,
  }
}

export function createConsole(ports: Partial<AppPorts> = {}, limits: Partial<ViewLimits> = {}) {
  const views = new ConsoleViews(TOPOLOGY, limits)
  const produced: Output[] = []
  const reported: unknown[] = []
  const app = createApp({
    views,
    topology: TOPOLOGY,
    makeRing: newRing,
    produce: async (outputs) => void produced.push(...outputs),
    readiness: () => ({ ready: true, problems: [], degraded: [] }),
    metrics: async () => '',
    about: () => ({ version: '0', bus: 'simulated', mode: 'observe', provider: null }),
    networks: () => [],
    waiting: () => [],
    paths: () => null,
    config: {
      keys: () => ({}),
      figures: () => ({ said: null, pools: [], takenBackCount: 0 }),
      reload: null,
    },
    models: { ids: async () => [], file: async () => null },
    page: new Map(),
    bodyBytesMax: 1_000,
    startId: 'run1',
    report: (error) => void reported.push(error),
    ...ports,
  })
  return { app, views, produced, reported }
}

export function command(commandId: string, more: object = {}): object {
  return {
    commandId,
    incidentId: 'i1',
    planId: null,
    stepId: null,
    pool: 'default',
    epoch: 7,
    action: 'migrate',
    node: 'n1',
    workload: 'w1',
    target: 'n2',
    expiresAtMs: 9_000,
    dryRun: false,
    reasons: ['probability 0.91 is over 0.8'],
    precondition: null,
    modelVersion: null,
    policyVersion: 'default',
    ...more,
  }
}

export function result(commandId: string, state: string, atMs: number): object {
  return { commandId, epoch: 7, pool: 'default', node: 'n1', state, atMs, detail: null }
}
