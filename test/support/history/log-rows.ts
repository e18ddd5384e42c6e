/** Runs a history through the whole service on the driven clock and reads back what it predicted. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bus, Output } from '../../../src/core/bus.ts'
import { toText } from '../../../src/core/bytes.ts'
import { DEFAULT_POLICY } from '../../../src/core/policy.ts'
import { topicName, type Topology } from '../../../src/core/topics.ts'
import { ClockDriver } from '../../../src/pipeline/clock-driver.ts'
import {
  ROLES,
  startService,
  untilReady,
  type Service,
  type ServiceOptions,
} from '../../../src/pipeline/service.ts'
import { foreshockWasm } from '../node-class.ts'
import type { FeedStep } from './feed.ts'
import { type RowHashes, rowKey } from './history-rows.ts'
import { DRIVE, PARITY_CLASSES, SERVER } from './parity-classes.ts'
import { writeTinyModel } from './tiny-model.ts'

const LIMIT_MS = 60_000

export function parityTopology(prefix: string, nodePartitions: number): Topology {
  const poolPartitions = Math.min(2, nodePartitions)
  return { prefix, nodePartitions, poolPartitions, clock: 'driven', retentionMs: 86_400_000 }
}

export async function startParityService(
  bus: Bus,
  topology: Topology,
  more: Partial<ServiceOptions> = {},
): Promise<Service> {
  return await startService({
    bus,
    topology,
    roles: ROLES,
    kernel: foreshockWasm(),
    nodeClasses: PARITY_CLASSES,
    models: { server: writeTinyModel(SERVER), drive: writeTinyModel(DRIVE, 3) },
    defaultClass: 'server',
    recordBytesMax: 4_194_304,
    commitIntervalMs: 5,
    changeGapMs: 45_000,
    nodesMax: 1_024,
    policyFor: () => DEFAULT_POLICY,
    policies: [DEFAULT_POLICY],
    sign: () => '',
    source: '/parity',
    stateDirectory: mkdtempSync(join(tmpdir(), 'foreshock-parity-state-')),
    host: 'local',
    ...more,
  })
}

export interface LogRun {
  readonly bus: Bus
  readonly topology: Topology
  readonly steps: readonly FeedStep[]
  /** Called before each step; it may start and stop other members. */
  readonly beforeStep?: (index: number) => Promise<void> | void
}

/** Drives every step; every coordinator has committed the last when it returns. */
export async function driveSteps({ bus, topology, steps, beforeStep }: LogRun): Promise<void> {
  const driver = new ClockDriver(bus, topology)
  const signal = AbortSignal.timeout(LIMIT_MS)
  try {
    for (const [index, { atMs, outputs }] of steps.entries()) {
      await beforeStep?.(index)
      if (outputs.length > 0) await bus.produce(outputs)
      if (!(await driver.advance(atMs, signal))) {
        throw new Error(`step ${index + 1} of ${steps.length} was not committed in ${LIMIT_MS} ms`)
      }
    }
  } finally {
    await driver.close()
  }
}

/** Waits until this service owns everything. */
export async function untilOwner(service: Service, topology: Topology): Promise<void> {
  const signal = AbortSignal.timeout(LIMIT_MS)
  if (!(await untilReady(service, { topology, roles: ROLES }, signal))) {
    throw new Error(`the service owns only ${JSON.stringify(service.ready())} in ${LIMIT_MS} ms`)
  }
}

interface Prediction {
  readonly node: string
  readonly atMs: number
  readonly trigger: 'grid' | 'change'
  readonly rowHash: string
}

/** Of the predictions at grid times. One that was made twice is an error. */
export async function predictedRows(bus: Bus, topology: Topology): Promise<RowHashes> {
  const topic = topicName(topology, 'predictions')
  // Nothing is predicted any more: whoever has read these has read everything.
  const last = Array.from({ length: topology.nodePartitions }, (_, partition): Output => {
    return { topic, partition, key: null, value: null, headers: { last: 'yes' } }
  })
  await bus.produce(last)
  const reader = await bus.read({ topic, from: 'start' })
  const rows = new Map<string, string>()
  const signal = AbortSignal.timeout(LIMIT_MS)
  for (let ended = 0; ended < last.length;) {
    signal.throwIfAborted()
    for (const { value } of await reader.take(200)) {
      if (value === null) {
        ended++
        continue
      }
      const { node, atMs, trigger, rowHash } = JSON.parse(toText(value)) as Prediction
      if (trigger !== 'grid') continue
      const key = rowKey(node, atMs)
      if (rows.has(key)) throw new Error(`${key} was predicted twice`)
      rows.set(key, rowHash)
    }
  }
  await reader.close()
  return rows
}
