// Goal: a watcher calls a node silent only when it would have heard it; what is late is unknown.
import { expect, test } from 'vitest'
import type { AssessmentRecord } from '../../../src/core/assessment.ts'
import type { LogRecord, Output } from '../../../src/core/bus.ts'
import { toBytes } from '../../../src/core/bytes.ts'
import { KIND, type Watermark } from '../../../src/core/log.ts'
import type { NodeClass } from '../../../src/core/node.ts'
import { DEFAULT_POLICY } from '../../../src/core/policy.ts'
import type { Topology } from '../../../src/core/topics.ts'
import { WatcherFold } from '../../../src/pipeline/watcher.ts'
import type { Predictor } from '../../../src/predict/session.ts'
import { instantPredictor } from '../../support/history/simulated-roles.ts'
import { foreshockWasm, metric, PROBE, samplesIpc } from '../../support/node-class.ts'
import { textOf } from '../../support/output.ts'

const CLASS: NodeClass = { ...PROBE, metrics: [metric('latency')], attributes: [] }
const START_MS = 1_763_600_040_000
const wasm = foreshockWasm()

/** One node-log partition of a service with two ingest partitions, a second at a time. */
class Log {
  readonly fold: WatcherFold
  readonly outputs: Output[] = []
  readonly records: LogRecord[] = []
  nowMs = START_MS

  constructor(predictor?: Predictor) {
    const topology: Topology = {
      prefix: 'w.',
      nodePartitions: 2,
      poolPartitions: 1,
      clock: 'arrival',
      retentionMs: 1e9,
    }
    this.fold = new WatcherFold({
      partition: 0,
      topology,
      kernel: wasm,
      nodeClasses: new Map([[CLASS.name, CLASS]]),
      predictors: new Map(predictor === undefined ? [] : [[CLASS.name, predictor]]),
      changeGapMs: 1_000,
      policies: [DEFAULT_POLICY],
      nodesMax: 64,
      source: '/test',
    })
  }

  async append(kind: string, value: Uint8Array | object, headers = {}): Promise<readonly Output[]> {
    const record: LogRecord = {
      topic: 'w.node-log',
      partition: 0,
      offset: this.records.length,
      appendedAtMs: this.nowMs,
      key: null,
      value: value instanceof Uint8Array ? value : toBytes(JSON.stringify(value)),
      headers: { [KIND]: kind, ...headers },
    }
    this.records.push(record)
    const outputs = await this.fold.fold(record)
    this.outputs.push(...outputs)
    return outputs
  }

  /** `appendedAt`: when it reached the public topic. */
  async sample(node: string, at = this.nowMs, appendedAt = at, latency = 1): Promise<void> {
    const ipc = samplesIpc(CLASS, [{ node, at, appendedAt, metrics: { latency } }])
    await this.append('samples', ipc, { class: CLASS.name })
  }

  async watermark(atMs: number | null, delayMs = 200): Promise<void> {
    for (const source of [0, 1]) {
      await this.append('watermark', { source, atMs, delayMs } satisfies Watermark)
    }
  }

  async tick(): Promise<void> {
    await this.append('tick', { source: 0, atMs: 0, step: 0 })
  }

  /** Each second: a watermark, a tick, and every fifth second a sample of each node. */
  async seconds(count: number, nodes: readonly string[]): Promise<void> {
    for (let second = 0; second < count; second++) {
      this.nowMs += 1_000
      if (second % 5 === 0) for (const node of nodes) await this.sample(node)
      await this.watermark(null)
      await this.tick()
    }
  }

  assessments(): readonly AssessmentRecord[] {
    return this.outputs
      .filter(({ headers }) => headers?.[KIND] === 'assessment')
      .map(({ value }) => JSON.parse(textOf(value)) as AssessmentRecord)
  }

  /** Node and liveness, of what was told because it changed. */
  changes(): readonly string[] {
    return this.assessments().flatMap(({ rows }) =>
      rows
        .filter(({ trigger }) => trigger === 'liveness')
        .map(({ node, liveness }) => `${node} ${liveness}`),
    )
  }
}

test('three missed heartbeats are silence, and a sign of life ends it', async () => {
  const log = new Log()
  await log.seconds(10, ['a', 'b'])
  await log.seconds(11, ['b'])
  expect(log.changes().filter((line) => line.endsWith('silent'))).toEqual([])
  await log.seconds(4, ['b'])
  expect(log.changes().filter((line) => line.endsWith('silent'))).toEqual(['a silent'])
  await log.seconds(3, ['a', 'b'])
  expect(log.changes().at(-1)).toBe('a live')
})

test('while ingest is late nobody is silent, and everybody is said to be unknown', async () => {
  const log = new Log()
  await log.seconds(10, ['a', 'b'])
  const vouchedMs = log.nowMs - 200
  for (let second = 0; second < 120; second++) {
    log.nowMs += 1_000
    await log.watermark(vouchedMs)
    await log.tick()
  }
  expect(log.changes().filter((line) => line.endsWith('silent'))).toEqual([])
  const lates = log.assessments().map(({ late }) => late)
  expect([lates.includes(true), lates.at(-1)]).toEqual([true, true])
  // Ingest catches up: what the nodes had sent all along comes in a burst, with its true times.
  for (let at = vouchedMs; at <= log.nowMs; at += 5_000) {
    for (const node of ['a', 'b']) await log.sample(node, at)
    await log.watermark(at)
  }
  await log.seconds(20, ['a', 'b'])
  expect(log.changes().filter((line) => line.endsWith('silent'))).toEqual([])
  expect(log.assessments().at(-1)!.late).toBe(false)
})

test('one stalled ingest partition is enough for not knowing', async () => {
  const log = new Log()
  await log.seconds(10, ['a'])
  for (let second = 0; second < 60; second++) {
    log.nowMs += 1_000
    await log.append('watermark', { source: 0, atMs: null, delayMs: 200 } satisfies Watermark)
    await log.tick()
  }
  expect(log.changes().filter((line) => line.endsWith('silent'))).toEqual([])
  expect(log.assessments().at(-1)!.late).toBe(true)
})

test('a watcher that was away counts the gap as two seconds of watching, not as silence', async () => {
  const log = new Log()
  await log.seconds(10, ['a'])
  log.nowMs += 3_600_000
  await log.watermark(null)
  await log.tick()
  await log.seconds(3, ['a'])
  expect(log.changes().filter((line) => line.endsWith('silent'))).toEqual([])
})

test('a prediction carries its row, its model and its reasons; a small change is kept to itself', async () => {
  const log = new Log(instantPredictor(CLASS))
  await log.seconds(5, [])
  const told = () =>
    log.outputs
      .filter(({ topic }) => topic === 'w.predictions')
      .map(({ value }) => JSON.parse(textOf(value)) as Record<string, unknown>)
  await log.sample('a', log.nowMs, log.nowMs, 10)
  expect(told()).toMatchObject([
    {
      node: 'a',
      trigger: 'change',
      modelVersion: 'tiny-1',
      provider: 'instant',
      explanation: 'occlusion',
      top: [],
    },
  ])
  expect(told()[0]['rowHash']).toMatch(/^[0-9a-f]{16}$/)
  log.nowMs += 2_000
  await log.sample('a', log.nowMs, log.nowMs, 11)
  expect(told()).toHaveLength(1)
  log.nowMs += 2_000
  await log.sample('a', log.nowMs, log.nowMs, 60)
  expect(told()).toHaveLength(2)
  expect(told()[1]['probability']).toBeCloseTo(0.9)
  expect(told()[1]['top']).toMatchObject([{ feature: 'latency.value', value: 60 }])
  log.nowMs += 60_000
  await log.tick()
  expect(told().map(({ trigger }) => trigger)).toEqual(['change', 'change', 'grid'])
})

test('the same records give the same outputs, byte for byte', async () => {
  const log = new Log(instantPredictor(CLASS))
  await log.seconds(70, ['a', 'b'])
  await log.seconds(30, ['b'])
  const again = new Log(instantPredictor(CLASS))
  const outputs = []
  for (const record of log.records) outputs.push(...(await again.fold.fold(record)))
  expect(outputs.length).toBeGreaterThan(5)
  expect(outputs).toEqual(log.outputs)
})

test('work announced on a failed node does not bring it back, and its pool hears of it', async () => {
  const log = new Log()
  const event = (kind: string, more = {}) =>
    log.append('node-event', { kind, node: 'a', atMs: log.nowMs, ...more })
  const capacity = { cpu: 1, memoryBytes: 1, gpu: null }
  const place = { zone: null, region: null, latitude: null, longitude: null }
  await event('join', { class: CLASS.name, pool: 'web', labels: {}, place, capacity })
  await log.seconds(10, ['a'])
  await event('failure', { failureKind: 'test' })
  const [fact] = await event('maintenance', { untilMs: log.nowMs + 600_000 })
  expect(JSON.parse(textOf(fact.value))).toMatchObject({ kind: 'maintenance', node: 'a' })
  expect(fact.key).toBe('a')
  await log.seconds(60, [])
  expect(log.changes()).toEqual([])
})
