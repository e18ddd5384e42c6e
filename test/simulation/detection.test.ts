// Goal: faults of every kind, one over the other and in benign noise, are seen and called by their kind.
// Method: worlds of `faults/detection.toml` with fresh seeds and fewer nodes; the floors are below those of the
// table, because there are few faults in them. One split that is missed takes many nodes with it, so several are summed.
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { packageRoot } from '../../src/commands/package.ts'
import { readFaults } from '../../src/commands/simulate.ts'
import { type Measures, sumOf } from '../../src/simulate/measures.ts'
import { simulate } from '../../src/simulate/outcome.ts'
import { seePartition } from '../../src/simulate/partition-world.ts'
import { foreshockWasm } from '../support/node-class.ts'

const kernel = foreshockWasm()
const MINUTE_MS = 60_000
const WORLDS = 4
const FAULTS = readFaults(join(packageRoot(), 'faults', 'detection.toml'))

test('faults of every kind are seen and called by their kind', { timeout: 240_000 }, async () => {
  const seeds = Array.from({ length: WORLDS }, () => randomInt(2 ** 31))
  const because = `seeds ${seeds.join(', ')}`
  const all: Measures[] = []
  for (const seed of seeds) {
    const lengthMs = 15 * MINUTE_MS
    const outcome = (await simulate({ seed, nodeCount: 30, lengthMs, faults: FAULTS, kernel }))!
    expect(outcome.violations, because).toEqual([])
    all.push(outcome.measures)
  }
  const { faults, incidentCount, trueIncidentCount } = all.reduce(sumOf)
  const total = (pick: 'injected' | 'detected' | 'detectable' | 'classified') =>
    Object.values(faults).reduce((sum, counts) => sum + counts[pick], 0)
  expect(total('injected'), because).toBeGreaterThan(0)
  // A split may be over before anybody could have seen it, on all of its nodes at once.
  const missed = total('detectable') - total('detected')
  expect(missed, because).toBeLessThanOrEqual(0.15 * total('detectable'))
  const misnamed = total('detected') - total('classified')
  expect(misnamed, because).toBeLessThanOrEqual(0.2 * total('detected'))
  const wrong = incidentCount - trueIncidentCount
  expect(wrong, because).toBeLessThanOrEqual(Math.max(2, 0.15 * incidentCount))
})

test('a partition of a large pool is told through the coordinator', async () => {
  const seen = await seePartition(kernel, 200, () => performance.now())
  expect(seen.told).toContain('network-partition')
  expect(seen.lastedMs).toBeGreaterThanOrEqual(seen.stableForMs)
  expect(seen.lastedMs).toBeLessThanOrEqual(seen.stableForMs + 1_000)
})
