// Goal: data that is wrong is right again minutes after it is seen, because nodes are told to fetch it; executors
// that lie about it are found out; and nothing else breaks.
import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { type Faults, parseFaults } from '../../src/simulate/fault-file.ts'
import { SIMULATED_POLICY } from '../../src/simulate/outcome.ts'
import { World } from '../../src/simulate/world.ts'
import { foreshockWasm } from '../support/node-class.ts'

const kernel = foreshockWasm()
const MINUTE_MS = 60_000
/** Digests come once a minute, and a command takes its time. */
const MENDED_WITHIN_MS = 8 * MINUTE_MS

/** Data rots, and stays so for longer than anybody should let it. */
function rotting(lying: number): Faults {
  return parseFaults(
    {
      witnesses: { every: '5s', peers: 6, lost_probes: [0, 0.02] },
      ailments: { corruption: { per_node_hour: [1, 1.3], lasts: ['25m', '25m'] } },
      executors: {
        lying: [lying, lying],
        failing: [0.1, 0.1],
        dying_per_hour: [0, 0],
        dead_for: ['2s', '40s'],
        command_delay: { p50: '2ms', p99: '7ms' },
        move: { p50: '6s', p99: '30s' },
        fence: { p50: '3s', p99: '10s' },
      },
      service: {
        kills_per_hour: [3, 3],
        killed_after_command: [0.1, 0.1],
        back_after: ['5s', '20s'],
        expired_per_hour: [0, 0],
        group_rebalances_per_hour: [2, 2],
      },
    },
    'rotting',
  )
}

async function rot(seed: number, replicates: boolean, lying = 0) {
  const policy = { ...SIMULATED_POLICY, replicates, cooldownMs: 2 * MINUTE_MS }
  const faults = rotting(lying)
  const world = new World({ seed, nodeCount: 24, lengthMs: 20 * MINUTE_MS, faults, kernel, policy })
  await world.begin()
  let longestMs = 0
  for (let minute = 0; minute < 26; minute++) {
    await world.run(MINUTE_MS)
    for (const { ailments } of world.machines.all) {
      const rotten = ailments.get('corruption')
      const nowMs = world.broker.clock.nowMs()
      if (rotten !== undefined) longestMs = Math.max(longestMs, nowMs - rotten.sinceMs)
    }
  }
  const { works } = world.workforce
  const fetched = works.filter(({ command, done }) => command.action === 'replicate' && done)
  if (world.violations.length === 0) await world.settle()
  return { longestMs, fetchedCount: fetched.length, violations: world.violations }
}

test('what rots is mended, through failures and kills', { timeout: 120_000 }, async () => {
  const seed = randomInt(2 ** 31)
  const mended = await rot(seed, true)
  expect(mended.violations, `seed ${seed}`).toEqual([])
  expect(mended.fetchedCount, `seed ${seed}`).toBeGreaterThan(0)
  expect(mended.longestMs, `seed ${seed}`).toBeLessThan(MENDED_WITHIN_MS)
  const left = await rot(seed, false)
  expect(left.fetchedCount, `seed ${seed}`).toBe(0)
  expect(left.longestMs, `seed ${seed}`).toBeGreaterThan(MENDED_WITHIN_MS)
})

test(
  'an executor that says it is done and is not is asked again',
  { timeout: 60_000 },
  async () => {
    const seed = randomInt(2 ** 31)
    const lied = await rot(seed, true, 0.3)
    expect(lied.violations, `seed ${seed}`).toEqual([])
    expect(lied.fetchedCount, `seed ${seed}`).toBeGreaterThan(0)
  },
)
