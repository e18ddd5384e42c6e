// Goal: a watcher serves another model from the offset on where its log names it, and one that is
// rebuilt, here or on another machine, says the same, byte for byte.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tableFromIPC } from 'apache-arrow'
import { expect, onTestFinished, test } from 'vitest'
import type { ModelId, NodeId, PoolId } from '../../../src/core/ids.ts'
import type { AssessmentRecord } from '../../../src/core/assessment.ts'
import type { ModelAssignment, ModelRefusal, OutcomeRecord } from '../../../src/core/model-life.ts'
import type { Intervention, JoinEvent, NodeClass } from '../../../src/core/node.ts'
import { DEFAULT_POLICY } from '../../../src/core/policy.ts'
import { probabilityInterval } from '../../../src/core/probability-interval.ts'
import type { Topology } from '../../../src/core/topics.ts'
import { startLocalHost, type WatcherHost } from '../../../src/pipeline/watcher-host.ts'
import type { WatcherFold } from '../../../src/pipeline/watcher.ts'
import { ModelStore } from '../../../src/predict/model-store.ts'
import { writeTinyHorizons, writeTinyModel } from '../../support/history/tiny-model.ts'
import { foreshockWasm, metric, PROBE } from '../../support/node-class.ts'
import { NodeLog } from '../../support/node-log.ts'
import { bytesOf, textOf } from '../../support/output.ts'

const CLASS: NodeClass = {
  ...PROBE,
  metrics: [metric('latency')],
  attributes: [],
  predictionIntervalMs: 60_000,
  gridOrigin: 'epoch',
}
const START_MS = 1_763_600_040_000
const TOPOLOGY: Topology = {
  prefix: 'w.',
  nodePartitions: 1,
  poolPartitions: 1,
  clock: 'arrival',
  retentionMs: 1e9,
}
const kernel = foreshockWasm()

/** The first feature is the value: alarms above `threshold`. */
const SPREAD = { constant: 0.25, linear: 0, quadratic: 0 }
const WIDER = { constant: 4, linear: 0, quadratic: 0 }
const FIRST = writeTinyModel(CLASS, 45, { calibrationSpread: SPREAD })
const SECOND = writeTinyModel(CLASS, 10, { calibrationSpread: WIDER, version: 'tiny-2' })

function storeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-models-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

async function hostOf(directory: string, waitMs = 300): Promise<WatcherHost> {
  const host = await startLocalHost({
    topology: TOPOLOGY,
    kernel,
    nodeClasses: [CLASS],
    models: { [CLASS.name]: FIRST },
    changeGapMs: 1_000,
    policies: [DEFAULT_POLICY],
    nodesMax: 64,
    source: '/test',
    modelStore: { directory, peers: [], waitMs },
  })
  onTestFinished(() => host.close())
  return host
}

async function logOf(directory: string): Promise<NodeLog> {
  const fold = (await (await hostOf(directory)).createFold(0)) as WatcherFold
  return new NodeLog(fold, CLASS, START_MS)
}

function assignment(champion: ModelId | null, more: Partial<ModelAssignment> = {}) {
  return { nodeClass: CLASS.name, champion, challenger: null, trial: 1, ...more }
}

interface Prediction {
  readonly node: string
  readonly atMs: number
  readonly probability: number
  readonly interval: readonly [number, number] | null
  readonly trigger: 'grid' | 'change'
  readonly horizons?: readonly { readonly horizonMs: number; readonly probability: number }[]
}

function predictions({ outputs }: NodeLog): readonly Prediction[] {
  return outputs
    .filter(({ topic }) => topic === 'w.predictions')
    .map(({ value }) => JSON.parse(textOf(value)) as Prediction)
}

test('rows are scored by the model that their place in the log says, also when it is rebuilt', async () => {
  const directory = storeDirectory()
  const { id } = await new ModelStore(directory).add(SECOND)
  const log = await logOf(directory)
  await log.minutes(3, { a: 20, b: 5 })
  await log.append('model', assignment(id))
  const switchedAtMs = log.nowMs
  await log.minutes(3, { a: 20, b: 5 })
  await log.append('model', assignment(null, { trial: 2 }))
  await log.minutes(2, { a: 20, b: 5 })
  const ofA = predictions(log).filter(({ node }) => node === 'a')
  const high = ofA.filter(({ probability }) => probability > 0.5).map(({ atMs }) => atMs)
  // A grid time and the sample at it may each give a row.
  expect([...new Set(high)]).toEqual([1, 2, 3].map((minute) => switchedAtMs + minute * 60_000))
  expect(ofA.length).toBeGreaterThan(6)
  expect(predictions(log).filter((p) => p.node === 'b' && p.probability > 0.5)).toEqual([])

  const rebuilt = (await (await hostOf(directory)).createFold(0)) as WatcherFold
  const said = []
  for (const record of log.records) said.push(...(await rebuilt.fold(record)))
  expect(NodeLog.texts(said)).toEqual(NodeLog.texts(log.outputs))
})

test('the interval beside a probability is that of the model that serves, not of the configured one', async () => {
  const directory = storeDirectory()
  const { id } = await new ModelStore(directory).add(SECOND)
  const log = await logOf(directory)
  const parts = [
    { champion: null, spread: SPREAD },
    { champion: id, spread: WIDER },
    { champion: null, spread: SPREAD },
  ]
  for (const [trial, { champion, spread }] of parts.entries()) {
    const before = predictions(log).length
    if (trial > 0) await log.append('model', assignment(champion, { trial }))
    await log.minutes(2, { a: 20 })
    const told = predictions(log).slice(before)
    expect(told.length).toBeGreaterThan(1)
    for (const { probability, interval } of told) {
      expect(interval).toEqual(probabilityInterval(probability, spread))
    }
  }
})

test('at grid times a model of several horizons tells of each, none over a longer one; of one, none', async () => {
  const directory = storeDirectory()
  // Between 10 and 20 the shortest alone is high, and may not be over the others.
  const several = writeTinyHorizons(CLASS, 30, { '1m': 10, '10m': 20 })
  const { id } = await new ModelStore(directory).add(several)
  const log = await logOf(directory)
  await log.minutes(2, { a: 15 })
  expect(predictions(log).filter(({ horizons }) => horizons !== undefined)).toEqual([])
  const before = predictions(log).length
  await log.append('model', assignment(id))
  // Values jump between grid times too.
  for (const a of [15, 25, 50, 15]) await log.minutes(2, { a })
  const told = predictions(log).slice(before)
  expect(new Set(told.map(({ trigger }) => trigger))).toEqual(new Set(['grid', 'change']))
  const shapes = new Set<string>()
  for (const { trigger, horizons, probability } of told) {
    if (trigger === 'change') {
      expect(horizons).toBeUndefined()
      continue
    }
    expect(horizons!.map(({ horizonMs }) => horizonMs)).toEqual([60_000, 600_000, 3_600_000])
    expect(horizons![2].probability).toBe(probability)
    shapes.add(horizons!.map((one) => (one.probability > 0.5 ? 'high' : 'low')).join())
  }
  expect([...shapes].sort()).toEqual(['high,high,high', 'low,low,low'])
})

test('the log does not go on before the model is here, and says what is missing', async () => {
  const directory = storeDirectory()
  const elsewhere = new ModelStore(storeDirectory())
  const { id } = await elsewhere.add(SECOND)
  const log = await logOf(directory)
  await log.minutes(2, { a: 20 })
  await expect(log.append('model', assignment(id))).rejects.toMatchObject({
    code: 'MODEL_MISSING',
    message: expect.stringContaining(id.slice(0, 12)),
  })
  const late = await hostOf(directory, 20_000)
  const fold = await late.createFold(0)
  const folding = (async () => {
    for (const record of log.records) await fold.fold(record)
  })()
  await new ModelStore(directory).add(SECOND)
  await expect(folding).resolves.toBeUndefined()
})

test('a model of other features is refused by its name, and the one before goes on', async () => {
  const directory = storeDirectory()
  const other: NodeClass = { ...CLASS, halfLivesMs: [1_000, 2_000, 3_000] }
  const { id } = await new ModelStore(directory).add(writeTinyModel(other, 10))
  const log = await logOf(directory)
  await log.minutes(2, { a: 20 })
  await log.append('model', assignment(id))
  await log.minutes(2, { a: 20 })
  const [refusal, ...more] = log.bodies<ModelRefusal>('model-refused')
  expect(refusal).toMatchObject({ model: id, trial: 1, nodeClass: CLASS.name })
  expect(refusal.reason).toMatch(/was trained on other features/)
  expect(more).toEqual([])
  expect(predictions(log).every(({ probability }) => probability < 0.5)).toBe(true)
})

test('a challenger is scored beside the champion, told apart, and nothing of it is acted upon', async () => {
  const directory = storeDirectory()
  const { id } = await new ModelStore(directory).add(SECOND)
  const log = await logOf(directory)
  await log.append('model', assignment(null, { challenger: id }))
  // A horizon is an hour: what was scored at first has come to nothing by the end.
  await log.minutes(70, { a: 20, b: 5 })
  await log.append('node-event', {
    kind: 'failure',
    node: 'a',
    atMs: log.nowMs + 1,
    failureKind: 'test',
  })
  // What is known of it is told when the horizon is over.
  await log.minutes(65, { b: 5 })
  const batches = log.outputs.filter(({ topic }) => topic === 'w.predictions.batches')
  const shadows = batches.filter(({ headers }) => headers?.['role'] === 'challenger')
  expect(shadows.length).toBeGreaterThan(60)
  expect(batches.length).toBeGreaterThan(shadows.length)
  expect(predictions(log).every(({ probability }) => probability < 0.5)).toBe(true)

  const [introduced, ...told] = log.bodies<OutcomeRecord>('model-outcomes')
  expect(introduced).toMatchObject({ trial: 0, outcomes: { rowCount: 0 } })
  expect(told.every(({ trial }) => trial === 1)).toBe(true)
  const failures = told.flatMap(({ outcomes }) => outcomes.failures)
  expect(failures).toHaveLength(1)
  expect(failures[0].champion).toBeLessThan(0.5)
  expect(failures[0].challenger).toBeGreaterThan(0.5)
  const rows = told.reduce((sum, { outcomes }) => sum + outcomes.rowCount, 0)
  // An hour of one-minute rows is kept in blocks of two: those of the failure, and those before.
  expect(rows).toBeGreaterThan(35)
})

function joined(log: NodeLog, node: string, pool: string): Promise<void> {
  const event: JoinEvent = {
    kind: 'join',
    node: node as NodeId,
    atMs: log.nowMs,
    class: CLASS.name,
    pool: pool as PoolId,
    labels: {},
    place: { zone: null, region: null, latitude: null, longitude: null },
    capacity: { cpu: 1, memoryBytes: 1e9, gpu: null },
  }
  return log.append('node-event', event)
}

test('in canary pools the challenger serves, the champion in all others, also when it is rebuilt', async () => {
  const directory = storeDirectory()
  const { id } = await new ModelStore(directory).add(SECOND)
  const log = await logOf(directory)
  for (const [node, pool] of Object.entries({ a: 'first', b: 'first', c: 'rest' })) {
    await joined(log, node, pool)
  }
  const values = { a: 20, b: 20, c: 20 }
  await log.minutes(2, values)
  await log.append('model', assignment(null, { challenger: id, canaryPools: ['first' as PoolId] }))
  const beganAtMs = log.nowMs
  await log.minutes(3, values)
  // A node that changes its pool changes its model.
  await log.append('node-event', {
    kind: 'labels',
    node: 'b',
    atMs: log.nowMs + 1,
    labels: { pool: 'rest' },
  })
  const movedAtMs = log.nowMs
  await log.minutes(3, values)
  const highFrom = (node: string) =>
    predictions(log)
      .filter((told) => told.node === node && told.probability > 0.5)
      .map(({ atMs }) => atMs)
  expect(new Set(highFrom('a')).size).toBe(6)
  expect(Math.min(...highFrom('a'))).toBeGreaterThan(beganAtMs)
  expect(new Set(highFrom('b')).size).toBe(3)
  expect(Math.max(...highFrom('b'))).toBe(movedAtMs)
  expect(highFrom('c')).toEqual([])

  // The coordinator of a pool hears of the model that said it.
  const saidOf = (node: string) =>
    log
      .bodies<AssessmentRecord>('assessment')
      .filter(({ atMs, rows }) => atMs > beganAtMs && rows.some((row) => row.node === node))
      .map(({ model }) => model?.version)
  expect(new Set(saidOf('a'))).toEqual(new Set(['tiny-2']))
  expect(new Set(saidOf('c'))).toEqual(new Set(['tiny-1']))
  const batches = log.outputs.filter(({ topic }) => topic === 'w.predictions.batches')
  const rows = batches.flatMap(({ value }) => {
    const read = tableFromIPC(bytesOf(value))
    const role = read.schema.metadata.get('role')
    return [...read].map((row) => `${role} ${String(row!['node'])}`)
  })
  const ofA = new Set(rows.filter((row) => row.endsWith(' a')))
  expect([...ofA]).toEqual(['champion a', 'canary a'])
  expect(new Set(rows.filter((row) => row.endsWith(' c')))).toEqual(
    new Set(['champion c', 'challenger c']),
  )

  const rebuilt = (await (await hostOf(directory)).createFold(0)) as WatcherFold
  const said = []
  for (const record of log.records) said.push(...(await rebuilt.fold(record)))
  expect(NodeLog.texts(said)).toEqual(NodeLog.texts(log.outputs))
})

test('while the challenger serves canary pools only their nodes are compared', async () => {
  const directory = storeDirectory()
  const { id } = await new ModelStore(directory).add(SECOND)
  const log = await logOf(directory)
  await joined(log, 'a', 'first')
  await joined(log, 'c', 'rest')
  await log.append('model', assignment(null, { challenger: id, canaryPools: ['first' as PoolId] }))
  await log.minutes(70, { a: 20, c: 20 })
  for (const node of ['a', 'c']) {
    const failure = { kind: 'failure', node, atMs: log.nowMs + 1, failureKind: 'test' }
    await log.append('node-event', failure)
  }
  await log.minutes(65, { other: 5 })
  const told = log.bodies<OutcomeRecord>('model-outcomes').filter(({ trial }) => trial === 1)
  const failures = told.flatMap(({ outcomes }) => outcomes.failures)
  expect(failures).toHaveLength(1)
  expect(failures[0].champion).toBeLessThan(0.5)
  expect(failures[0].challenger).toBeGreaterThan(0.5)
  const rows = told.reduce((sum, { outcomes }) => sum + outcomes.rowCount, 0)
  // Those of node a alone, in blocks of two minutes.
  expect(rows).toBeGreaterThan(30)
  expect(rows).toBeLessThan(40)
  // A canary whose pools are quiet is still told of, so that its time can end.
  expect(told.length).toBeGreaterThan(100)
})

test('rows of a node whose work was moved in time are told apart, in whatever trial they were scored', async () => {
  const directory = storeDirectory()
  const log = await logOf(directory)
  const done = (kind: Intervention['kind']) =>
    log.append('intervention', { kind, node: 'a', atMs: log.nowMs })
  await log.minutes(5, { a: 20, b: 5 })
  await done('moved')
  await log.append('intervention', { kind: 'moved', node: 'unknown', atMs: log.nowMs })
  // The node is without work while another trial begins.
  await log.append('model', assignment(null))
  await log.minutes(20, { a: 20, b: 5 })
  await done('returned')
  await log.minutes(125, { a: 20, b: 5 })
  const told = log.bodies<OutcomeRecord>('model-outcomes').filter(({ trial }) => trial === 1)
  const sum = (pick: (outcomes: OutcomeRecord['outcomes']) => number) =>
    told.reduce((total, { outcomes }) => total + pick(outcomes), 0)
  // Twenty minutes of node a, in blocks of two.
  expect(sum(({ movedRowCount = 0 }) => movedRowCount)).toBe(10)
  const ofB = sum(({ rowCount }) => rowCount) - sum(({ movedRowCount = 0 }) => movedRowCount)
  expect(ofB).toBeGreaterThan(60)
})
