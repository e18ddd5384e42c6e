// Goal: a real broker changes no bit of a feature row: with one and with eight partitions, records of
// other sizes in another order between partitions, and a rebalance of every group in the middle.
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import type { Bus } from '../../../src/core/bus.ts'
import { DAY_MS } from '../../../src/core/time.ts'
import { topicSpecs } from '../../../src/core/topics.ts'
import type { Service } from '../../../src/pipeline/service.ts'
import { feedSteps } from '../../support/history/feed.ts'
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
import { kafkaBrokers, uniquePrefix } from '../../support/kafka.ts'

const SEED = 23
const brokers = await kafkaBrokers()
const drives = driveHistory(6, SEED)
const servers = serverHistory(40, SEED)
let wanted: RowHashes

beforeAll(async () => {
  wanted = new Map([...(await trainingRows(drives)), ...(await trainingRows(servers))])
})

async function openBus(prefix: string, clientId: string): Promise<Bus> {
  const bus = await openKafkaBus({ brokers: brokers!, clientId, prefix, sessionTimeoutMs: 6_000 })
  onTestFinished(() => bus.close())
  return bus
}

describe.skipIf(brokers === null).each([
  { partitions: 1, rowsPerRecordMax: 7 },
  { partitions: 8, rowsPerRecordMax: 100 },
])('kafka, $partitions partitions', ({ partitions, rowsPerRecordMax }) => {
  test('rows at grid times are those of training, bit by bit', async () => {
    const topology = parityTopology(uniquePrefix(`parity-${partitions}`), partitions)
    const bus = await openBus(topology.prefix, 'first')
    await bus.create(topicSpecs(topology))
    const first = await startParityService(bus, topology)
    await untilOwner(first, topology)
    const steps = feedSteps({
      topology,
      histories: [drives, servers],
      stepMs: [180 * DAY_MS, 5 * MINUTE_MS],
      seed: SEED + partitions,
      rowsPerRecordMax,
    })
    let second: Service | null = null
    const shares: number[] = []
    await driveSteps({
      bus,
      topology,
      steps,
      // While the others go on, a second process takes its share; then the first leaves everything to it.
      beforeStep: async (index) => {
        if (index === Math.floor(steps.length * 0.5)) {
          second = await startParityService(await openBus(topology.prefix, 'second'), topology)
        }
        if (index === Math.floor(steps.length * 0.75)) {
          shares.push(second!.ready().watcher)
          await first.stop()
        }
      },
    })
    shares.push(second!.ready().watcher)
    onTestFinished(() => second!.stop())
    expect(shares.at(-1)).toBe(partitions)
    if (partitions > 1) expect(shares[0]).toBe(partitions / 2)
    expect(differences(wanted, await predictedRows(bus, topology))).toEqual([])
  })
})
