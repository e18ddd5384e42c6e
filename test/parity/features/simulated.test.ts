// Goal: whatever a broker does to us (commits that abort or whose answer is lost, slow delivery,
// rebalances for no reason, processes that die), each node has exactly one prediction for each grid
// time, and its feature row is the one of training, bit by bit.
import { fc, test } from '@fast-check/vitest'
import { afterAll, beforeAll, expect } from 'vitest'
import { createSimulatedBus } from '../../../src/bus/simulated/simulated-bus.ts'
import { DAY_MS } from '../../../src/core/time.ts'
import { topicSpecs } from '../../../src/core/topics.ts'
import { feedSteps } from '../../support/history/feed.ts'
import { differences, type RowHashes, trainingRows } from '../../support/history/history-rows.ts'
import { driveSteps, parityTopology, predictedRows } from '../../support/history/log-rows.ts'
import { MINUTE_MS, PARITY_CLASSES } from '../../support/history/parity-classes.ts'
import { driveHistory, serverHistory } from '../../support/history/parity-history.ts'
import { instantPredictor, startSimulatedRoles } from '../../support/history/simulated-roles.ts'

const drives = driveHistory(2, 5)
const servers = serverHistory(12, 5)
const predictors = new Map([...PARITY_CLASSES].map(([name, c]) => [name, instantPredictor(c)]))
let wanted: RowHashes
/** What the faults really were, over all runs: a quiet broker would prove nothing. */
const seen = { aborted: 0, unknown: 0, fenced: 0, restored: 0, crashed: 0 }

beforeAll(async () => {
  wanted = new Map([...(await trainingRows(drives)), ...(await trainingRows(servers))])
})

const faults = fc.record({
  ackDelayMsMax: fc.integer({ min: 0, max: 40 }),
  deliveryDelayMsMax: fc.integer({ min: 0, max: 300 }),
  commitAbortedRatio: fc.double({ min: 0, max: 0.2, noNaN: true }),
  commitUnknownRatio: fc.double({ min: 0, max: 0.05, noNaN: true }),
  rebalanceEveryMs: fc.integer({ min: 5_000, max: 60_000 }),
})
const runs = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  partitions: fc.constantFrom(1, 2, 3),
  faults,
})

test.prop([runs], { numRuns: 15, seed: 20 })(
  'one prediction a grid time, equal to training',
  async (run) => {
    const { seed, partitions } = run
    const broker = createSimulatedBus({ seed, faults: run.faults })
    const stopClock = broker.clock.run()
    const topology = parityTopology('sim.', partitions)
    const bus = broker.open('driver')
    await bus.create(topicSpecs(topology))
    const start = (name: string) =>
      startSimulatedRoles({
        bus: broker.open(name),
        topology,
        nodeClasses: PARITY_CLASSES,
        predictors,
        events: {
          committed: (_, outcome) => {
            if (outcome !== 'committed') seen[outcome as keyof typeof seen]++
          },
          restored: (_role, _partition, recordCount) => {
            if (recordCount > 0) seen.restored++
          },
        },
      })
    for (const name of ['a', 'b']) await start(name)
    const steps = feedSteps({
      topology,
      histories: [drives, servers],
      stepMs: [180 * DAY_MS, 5 * MINUTE_MS],
      seed,
      rowsPerRecordMax: 1 + (seed % 20),
    })
    await driveSteps({
      bus,
      topology,
      steps,
      beforeStep: async (index) => {
        // An owner sleeps past its session and wakes up as a zombie.
        if (index % 10 === 5) broker.expireOwner(`${topology.prefix}watcher`, index % partitions)
        if (index % 25 !== 17) return
        seen.crashed++
        broker.crash('b')
        await start('b')
      },
    })
    expect(differences(wanted, await predictedRows(bus, topology))).toEqual([])
    stopClock()
  },
)

afterAll(() => {
  for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(0)
})
