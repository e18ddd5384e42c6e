// Goal: the demonstration fleet lives through splits of its network: what a row that was cut off has moved unheard of is
// in the log soon after, every block is compared, and a node that fails has its standbys promoted.
// Method: the fleet with its executor and agents, and a coordinator's fold, step by step.
import { describe, expect, test } from 'vitest'
import type { PublishedPaths } from '../../src/core/route-paths.ts'
import { HOUR_MS } from '../../src/core/time.ts'
import { STEP_MS } from '../../src/fleet/fleet.ts'
import { CoordinatedFleet } from '../support/coordinated-fleet.ts'
import { bodies } from '../support/coordinator-world.ts'

/** So long after a split everything is compared: it is seen as whole, blocks go out, and a few are asked again. */
const COMPARED_MS = 120_000
const WITHOUT_FAILURES = { failureRateFactor: 1e-9 }

/** Until its first split is over; how many workloads the log had wrong at most. */
function untilMerged(fleet: CoordinatedFleet): number {
  let wrong = 0
  for (let ms = 0; ms < 3 * HOUR_MS; ms += STEP_MS) {
    fleet.step()
    wrong = Math.max(wrong, fleet.unknown().length)
    if (fleet.conditions('split-brain').at(-1)?.condition?.state === 'over') return wrong
  }
  throw new Error('no split in three hours')
}

/** Nodes that are down, and still are after so long. */
function downFor(fleet: CoordinatedFleet, ms: number): ReadonlySet<string> {
  const isUp = new Set<string>(fleet.fleet.upNodes())
  for (let i = 0; i < ms; i += STEP_MS) {
    fleet.step()
    for (const node of fleet.fleet.upNodes()) isUp.add(node)
  }
  const joined = new Set(
    bodies<PublishedPaths>(fleet.world.outputs, 't.paths').map(({ from }) => from),
  )
  const down = [...joined].filter((node) => !isUp.has(node))
  expect(down.length, 'somebody is down').toBeGreaterThan(0)
  return new Set(down)
}

function waysOver(fleet: CoordinatedFleet, nodes: ReadonlySet<string>): readonly string[] {
  const newest = new Map<string, PublishedPaths>()
  for (const record of bodies<PublishedPaths>(fleet.world.outputs, 't.paths')) {
    newest.set(record.from, record)
  }
  return [...newest.values()].flatMap(({ from, routes }) =>
    routes.flatMap(({ to, shortest, pair }) =>
      [shortest, ...(pair?.paths ?? [])]
        .filter((path) => path?.nodes.some((node) => nodes.has(node)) === true)
        .map(() => `${from} to ${to}`),
    ),
  )
}

describe('a network that splits', () => {
  test.each([1, 3])('seed %i: the log has it all soon after, and says so', (seed) => {
    const fleet = new CoordinatedFleet({ seed, ...WITHOUT_FAILURES })
    expect(untilMerged(fleet), 'something was moved unheard of').toBeGreaterThan(0)
    for (let ms = 0; ms < COMPARED_MS; ms += STEP_MS) fleet.step()
    expect(fleet.unknown()).toEqual([])
    const last = fleet.conditions('resync').at(-1)!
    expect(last.condition).toMatchObject({ state: 'over' })
    const blocks = Object.fromEntries(last.evidence.map(({ what, value }) => [what, value]))
    expect(blocks['blocksRepaired']).toBeGreaterThan(0)
    expect(blocks['blocksUnverified']).toBe(0)
    const { splits, localMoves, blocksAnswered } = fleet.fleet.networkTruth()
    expect([splits, localMoves > 0, blocksAnswered > 0]).toEqual([1, true, true])
  })

  test('without a policy nobody asks the agents, and what was moved stays unheard of', () => {
    const fleet = new CoordinatedFleet({ ...WITHOUT_FAILURES }, null)
    for (let ms = 0; ms < 2 * HOUR_MS; ms += STEP_MS) fleet.step()
    expect(fleet.unknown().length).toBeGreaterThan(0)
    expect(fleet.fleet.networkTruth().blocksAnswered).toBe(0)
  })
})

test('nodes fail and the network splits at the same time: no workload is lost, and standbys take over', () => {
  const fleet = new CoordinatedFleet({ seed: 4, failureRateFactor: 4 })
  for (let ms = 0; ms < 2 * HOUR_MS; ms += STEP_MS) fleet.step()
  const { splits } = fleet.fleet.networkTruth()
  const { workloadsPromoted, failures } = fleet.fleet.truth().counts
  expect([splits > 0, failures > 10, workloadsPromoted > 0]).toEqual([true, true, true])
  const promoted = fleet.world.commands('promote')
  const verified = new Set(
    fleet.results.filter(({ state }) => state === 'verified').map(({ commandId }) => commandId),
  )
  expect(promoted.filter(({ commandId }) => verified.has(commandId)).length).toBe(workloadsPromoted)
  expect(waysOver(fleet, downFor(fleet, 60_000)), 'no way leads over a node that is down').toEqual(
    [],
  )
  const workloads = fleet.fleet.placements().map(({ workload }) => workload)
  expect(new Set(workloads).size).toBe(fleet.fleet.truth().workloadCount)
})
