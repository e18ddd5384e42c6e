// Goal: training and serving see the same bits. A history through `foldHistory`, and through the whole
// service on the embedded bus with one and with eight partitions, gives equal feature rows.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { openEmbeddedBus } from '../../../src/bus/embedded/embedded-bus.ts'
import { DAY_MS } from '../../../src/core/time.ts'
import { topicSpecs } from '../../../src/core/topics.ts'
import { ClockDriver } from '../../../src/pipeline/clock-driver.ts'
import { driveWorld } from '../../../src/pipeline/driven-world.ts'
import { feedSteps, HistoryWorld } from '../../support/history/feed.ts'
import { differences, type RowHashes, trainingRows } from '../../support/history/history-rows.ts'
import {
  driveSteps,
  parityTopology,
  predictedRows,
  startParityService,
  untilOwner,
} from '../../support/history/log-rows.ts'
import { MINUTE_MS } from '../../support/history/parity-classes.ts'
import { driveHistory, serverHistory } from '../../support/history/parity-history.ts'

const SEED = 11
const drives = driveHistory(12, SEED)
const servers = serverHistory(60, SEED)
let wanted: RowHashes

beforeAll(async () => {
  wanted = new Map([...(await trainingRows(drives)), ...(await trainingRows(servers))])
})

test('the history has rows of both classes, and no two nodes look alike', () => {
  expect([...wanted.keys()].filter((key) => key.startsWith('server')).length).toBeGreaterThan(1_000)
  expect([...wanted.keys()].filter((key) => key.startsWith('drive')).length).toBeGreaterThan(1_000)
  expect(new Set(wanted.values()).size).toBeGreaterThan(wanted.size * 0.99)
})

describe.each([
  { partitions: 1, stepMs: MINUTE_MS, rowsPerRecordMax: 1 },
  { partitions: 8, stepMs: 5 * MINUTE_MS, rowsPerRecordMax: 40 },
])('$partitions partitions, steps of $stepMs ms', ({ partitions, stepMs, rowsPerRecordMax }) => {
  test('rows at grid times are those of training, bit by bit', async () => {
    const bus = await openEmbeddedBus({
      directory: mkdtempSync(join(tmpdir(), 'foreshock-parity-bus-')),
    })
    const topology = parityTopology('parity.', partitions)
    await bus.create(topicSpecs(topology))
    const service = await startParityService(bus, topology)
    try {
      await untilOwner(service, topology)
      const steps = feedSteps({
        topology,
        histories: [drives, servers],
        stepMs: [90 * DAY_MS, stepMs],
        seed: SEED,
        rowsPerRecordMax,
      })
      await driveSteps({ bus, topology, steps })
      expect(differences(wanted, await predictedRows(bus, topology))).toEqual([])
    } finally {
      await service.stop()
      await bus.close()
    }
  })
})

test('also as a world in even steps, whatever happens within one, with four partitions', async () => {
  const bus = await openEmbeddedBus({
    directory: mkdtempSync(join(tmpdir(), 'foreshock-parity-bus-')),
  })
  const topology = parityTopology('parity.', 4)
  await bus.create(topicSpecs(topology))
  const service = await startParityService(bus, topology)
  const driver = new ClockDriver(bus, topology)
  try {
    await untilOwner(service, topology)
    const feed = { topology, seed: SEED, rowsPerRecordMax: 3 }
    for (const world of [
      new HistoryWorld(feed, drives, 90 * DAY_MS, true),
      new HistoryWorld(feed, servers, 5 * MINUTE_MS, false),
    ]) {
      const { startMs, stepMs, endMs } = world
      const signal = AbortSignal.timeout(60_000)
      expect(
        await driveWorld({ bus, topology, driver, world, startMs, stepMs, endMs, signal }),
      ).toBe(endMs)
    }
    expect(differences(wanted, await predictedRows(bus, topology))).toEqual([])
  } finally {
    await driver.close()
    await service.stop()
    await bus.close()
  }
})
