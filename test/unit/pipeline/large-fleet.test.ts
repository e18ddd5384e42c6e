// Goal: what a watcher says of more nodes than it makes rows for at once.
// Method: one node-log partition with more nodes than the row buffer, folded record by record.
import { tableFromIPC } from 'apache-arrow'
import { expect, test } from 'vitest'
import type { AssessmentRecord } from '../../../src/core/assessment.ts'
import type { LogRecord, Output } from '../../../src/core/bus.ts'
import { toBytes } from '../../../src/core/bytes.ts'
import { KIND } from '../../../src/core/log.ts'
import type { NodeClass } from '../../../src/core/node.ts'
import { DEFAULT_POLICY } from '../../../src/core/policy.ts'
import { hashText } from '../../../src/state/row-hash.ts'
import { WatcherFold } from '../../../src/pipeline/watcher.ts'
import { instantPredictor } from '../../support/history/simulated-roles.ts'
import { foreshockWasm, metric, PROBE, samplesIpc } from '../../support/node-class.ts'
import { textOf } from '../../support/output.ts'

const CLASS: NodeClass = { ...PROBE, metrics: [metric('latency')], attributes: [] }
const START_MS = 1_763_600_041_000
const NODES = 3_000
/** Of those due at a grid time, what a tick makes: as many as any record, and its share of nine tenths of a minute. */
const DUE_ROWS = 96 + Math.ceil(NODES / 54)

interface Row {
  readonly node: string
  readonly at: number
  readonly trigger: number
  readonly probability: number
  readonly hash: string
}

class Log {
  nowMs = START_MS
  readonly #fold: WatcherFold
  #offset = 0

  constructor(changeDeviations = 0) {
    this.#fold = new WatcherFold({
      partition: 3,
      topology: {
        prefix: 'w.',
        nodePartitions: 4,
        poolPartitions: 1,
        clock: 'arrival',
        retentionMs: 1e9,
      },
      kernel: foreshockWasm(),
      nodeClasses: new Map([[CLASS.name, CLASS]]),
      predictors: new Map([[CLASS.name, instantPredictor(CLASS)]]),
      changeGapMs: 1_000,
      changeDeviations,
      policies: [DEFAULT_POLICY],
      nodesMax: NODES,
      source: '/test',
    })
  }

  async append(kind: string, value: Uint8Array, headers = {}): Promise<readonly Output[]> {
    const record: LogRecord = {
      topic: 'w.node-log',
      partition: 3,
      offset: this.#offset++,
      appendedAtMs: this.nowMs,
      key: null,
      value,
      headers: { [KIND]: kind, ...headers },
    }
    return await this.#fold.fold(record)
  }

  stats(): Readonly<Record<string, number>> {
    return this.#fold.stats()
  }

  async tick(): Promise<readonly Output[]> {
    return await this.append('tick', toBytes(JSON.stringify({ source: 3, atMs: 0, step: 0 })))
  }

  async samples(from: number, to: number, latency: number): Promise<readonly Output[]> {
    const rows = Array.from({ length: to - from }, (_, i) => ({
      node: `n${from + i}`,
      at: this.nowMs,
      metrics: { latency },
    }))
    return await this.append('samples', samplesIpc(CLASS, rows), { class: CLASS.name })
  }
}

function batchRows(outputs: readonly Output[]): readonly Row[] {
  return outputs
    .filter(({ topic }) => topic === 'w.predictions.batches')
    .flatMap(({ value }) => [...tableFromIPC(value as Uint8Array)])
    .map((row) => {
      const { node, at, trigger, probability, row_hash: hash } = row!.toJSON()
      const [high, low] = [Number(hash >> 32n), Number(hash & 0xffff_ffffn)]
      return { node, at: Number(at), trigger, probability, hash: hashText(high, low) }
    })
}

function assessed(outputs: readonly Output[]): AssessmentRecord['rows'] {
  return outputs
    .filter(({ headers }) => headers?.[KIND] === 'assessment')
    .flatMap(({ value }) => (JSON.parse(textOf(value)) as AssessmentRecord).rows)
}

test('rows at a grid time are made bit by bit, each node once, and a sample waits for its own', async () => {
  const log = new Log()
  const first: Output[] = []
  for (let from = 0; from < NODES; from += 1_000) {
    first.push(...(await log.samples(from, from + 1_000, 10)))
  }
  // Each is made known to its coordinator; a fleet of this size is not told of node by node.
  expect(assessed(first)).toHaveLength(NODES)
  const told = first.filter(({ topic }) => topic === 'w.predictions')
  expect(told.length).toBeLessThanOrEqual(1_000)

  log.nowMs += 60_000
  const outputs: Output[] = [...(await log.tick())]
  // The last nodes have not had their turn: this sample has their rows made first.
  const ill = await log.samples(NODES - 10, NODES, 60)
  outputs.push(...ill)
  for (let ticks = 0; ticks < NODES / DUE_ROWS; ticks++) {
    log.nowMs += 1_000
    outputs.push(...(await log.tick()))
  }
  const rows = [...batchRows(first), ...batchRows(outputs)]
  expect(rows.filter(({ trigger }) => trigger === 1)).toHaveLength(NODES + 10)
  const grid = rows.filter(({ trigger }) => trigger === 0)
  expect(grid).toHaveLength(NODES)
  expect(new Set(grid.map(({ node }) => node)).size).toBe(NODES)
  expect(new Set(grid.map(({ at }) => at)).size).toBe(1)
  expect(grid.every(({ probability }) => Math.abs(probability - 0.1) < 1e-6)).toBe(true)
  expect(rows.filter(({ probability }) => probability > 0.5)).toHaveLength(10)

  const crossings = ill
    .filter(({ topic }) => topic === 'w.predictions')
    .map(({ value }) => JSON.parse(textOf(value)) as Record<string, unknown>)
  expect(crossings).toHaveLength(10)
  const { node, rowHash } = crossings[0]
  expect(
    rows.find((row) => row.node === node && row.trigger === 1 && row.probability > 0.5),
  ).toMatchObject({ hash: rowHash })
})

test('one record makes few of the rows that are due', async () => {
  const log = new Log()
  for (let from = 0; from < NODES; from += 1_000) await log.samples(from, from + 1_000, 10)
  await log.tick()
  log.nowMs += 60_000
  // Built into a batch at once where one is full, else with the next tick.
  const counts: number[] = []
  for (let records = 0; records <= NODES / DUE_ROWS + 1; records++) {
    await log.tick()
    const { predictionCount } = log.stats()
    counts.push(predictionCount)
  }
  const steps = counts.slice(1).map((count, i) => count - counts[i])
  expect(Math.max(...steps)).toBeLessThanOrEqual(DUE_ROWS)
  expect(counts.at(-1)).toBe(2 * NODES)
})

test('between grid times only what leaves its past is scored, at once', async () => {
  const log = new Log(3)
  const all = async (latency: number): Promise<void> => {
    for (let from = 0; from < NODES; from += 1_000) await log.samples(from, from + 1_000, latency)
  }
  const counts: number[] = []
  // All within one interval of the grid; for 30 s a node is new.
  for (let round = 0; round < 20; round++) {
    await all(10 + (round % 2))
    counts.push(log.stats()['predictionCount'] / NODES)
    log.nowMs += 2_000
  }
  expect(counts).toEqual(counts.map((_, round) => Math.min(round + 1, 16)))
  const ill = await log.samples(7, 8, 60)
  expect(log.stats()).toMatchObject({ predictionCount: 16 * NODES + 1 })
  const [told] = assessed(ill)
  expect(told.node).toBe('n7')
  expect(told.probability).toBeGreaterThan(0.5)
})

test('policies that the log brings are told of from there on, by another fold of it too', async () => {
  const play = async () => {
    const log = new Log()
    for (let from = 0; from < NODES; from += 1_000) await log.samples(from, from + 1_000, 10)
    const minute = async () => {
      const outputs: Output[] = []
      for (let second = 0; second < 60; second++) {
        log.nowMs += 1_000
        outputs.push(...(await log.tick()))
      }
      return outputs.filter(({ topic }) => topic === 'w.predictions')
    }
    await minute()
    const before = await minute()
    // All nodes have 0.1, which is under every policy so far.
    const policy = { ...DEFAULT_POLICY, actingPoint: { kind: 'threshold', probability: 0.05 } }
    const first = await log.append('policies', toBytes(JSON.stringify([policy])))
    const told = first.filter(({ topic }) => topic === 'w.predictions')
    return { before: before.length, after: [...told, ...(await minute())] }
  }
  const [once, again] = [await play(), await play()]
  expect(once.before).toBe(0)
  expect(once.after.length).toBeGreaterThanOrEqual(NODES)
  expect(again.after.map(({ value }) => textOf(value))).toEqual(
    once.after.map(({ value }) => textOf(value)),
  )
})
