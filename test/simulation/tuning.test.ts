// Goal: in the real pipeline, a candidate that breaks a promise is refused, whatever it saved, and worlds are
// the same for all: without a change they cost the same to the millisecond.
// Method: an acting point that healthy nodes reach as well, far under the bounds of what is tuned, keeps one of
// them from work for ever.
import { expect, test } from 'vitest'
import { readFaults } from '../../src/commands/simulate.ts'
import { toPolicy } from '../../src/config/policy.ts'
import { simulate } from '../../src/simulate/outcome.ts'
import { actingTable, KNOBS, withValues } from '../../src/simulate/tuning/knobs.ts'
import { priceOf, totalOf } from '../../src/simulate/tuning/price.ts'
import {
  costOf,
  type Live,
  searchPolicies,
  searchWorlds,
} from '../../src/simulate/tuning/search.ts'
import type { Candidate } from '../../src/simulate/tuning/space.ts'
import { foreshockWasm } from '../support/node-class.ts'

const FIRST_SEED = 7_000
const LENGTH_MS = 4 * 60_000
const POINT = 'policy.acting_point'
const ANYBODY = 0.04
const kernel = foreshockWasm()
const { crashes, executors } = readFaults()
const faults = {
  crashes: { ...crashes!, per_node_hour: [6, 6] as [number, number] },
  executors: { ...executors!, lying: [0, 0] as [number, number] },
}

const live: Live = async (trials) => {
  const lived = []
  for (const { candidate, world } of trials) {
    const policy = toPolicy(withValues(actingTable({}), candidate.values), {})
    const { seed } = world
    const options = { seed, nodeCount: 6, lengthMs: LENGTH_MS, faults, kernel, policy }
    const outcome = await simulate(options)
    const broken = outcome!.violations[0]?.what ?? null
    lived.push({ price: priceOf(outcome!.measures), broken })
  }
  return lived
}

test('a candidate that breaks a promise is refused', async () => {
  expect(KNOBS.find(({ key }) => key === POINT)!.low).toBeGreaterThan(ANYBODY)
  const candidates: readonly Candidate[] = [
    { id: 0, values: {} },
    { id: 1, values: { [POINT]: ANYBODY } },
    { id: 2, values: {} },
  ]
  const worlds = searchWorlds(['crashes'], FIRST_SEED)
  const { unchanged, standings } = await searchPolicies(candidates, worlds, live)
  const [best, refused] = standings
  expect(best.candidate.id).toBe(2)
  expect(best.prices).toEqual(unchanged.prices)
  expect(costOf(best)).toBeGreaterThan(0)
  expect(refused.candidate.id).toBe(1)
  expect(refused.broken?.what).toMatch(/^healthy node .* is not let back: it stays cordoned$/)
  expect(totalOf(refused.prices[0])).toBeGreaterThan(0)
})
