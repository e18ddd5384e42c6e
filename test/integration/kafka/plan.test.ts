/**
 * Goal: a node dies, and its work comes back elsewhere, in order and verified; and the plan ends as well
 * when the process that coordinates it is killed at any of its steps, with nothing done twice.
 * Method: the whole service in a process of its own on a real broker, executors whose every step waits
 * for the test, and `kill -9` while one of them waits, or within the commit that sends the plan's commands.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { NodeId, WorkloadId } from '../../../src/core/ids.ts'
import { PHASES } from '../../support/gated-fleet.ts'
import { kafkaBrokers } from '../../support/kafka.ts'
import { PlanWorld } from '../../support/plan-world.ts'
import { placementOn } from '../../support/server-pulse.ts'

/** Of a move all, of a fence those that something else waits for. */
const STEPS = [
  ...(['sent', 'succeeded'] as const).map((phase) => ({ action: 'fence' as const, phase })),
  ...PHASES.map((phase) => ({ action: 'recover' as const, phase })),
]
/** Planned and folded, or written and not committed: nobody has seen a command. */
const COMMITS = ['begun', 'offsets'] as const
/** One dies of silence, one at each step, and three are left to take the work. */
const NODES = Array.from({ length: 1 + STEPS.length + COMMITS.length + 3 }, (_, n) => `n${n}`)

const brokers = await kafkaBrokers()

describe.skipIf(brokers === null)('a plan on a real broker', () => {
  let world: PlanWorld

  beforeAll(async () => {
    world = await PlanWorld.start({ brokers: brokers ?? [], nodes: NODES, workloadsOf })
  })

  afterAll(async () => {
    await world.close()
  })

  test('a node falls silent: it is fenced, and its work runs elsewhere, verified', async () => {
    world.pulse.silence('n0')
    await world.untilRecovered('n0')
    expect(world.told('n0')).toEqual(['fence', 'recover n0-data', 'recover n0-work'])
    expect(NODES.slice(1)).toContain(world.fleet.nodeOf('n0-work'))
    expect(world.verified('n0')).toEqual(['fence', 'recover'])
  })

  test.each(STEPS.map((step, index) => ({ ...step, node: `n${index + 1}` })))(
    'killed when the $action is $phase, the next owner ends the plan and repeats nothing',
    async ({ action, phase, node }) => {
      world.killAt(node, action, phase)
      await survives(node)
      expect(world.kills.at(-1)).toBe(`${node} ${action} ${phase}`)
    },
  )

  test.each(COMMITS.map((step, index) => ({ step, node: `n${1 + STEPS.length + index}` })))(
    'killed before its commands are committed ($step), the next owner sends the plan once',
    async ({ step, node }) => {
      const died = world.dieInCommit(step)
      await survives(node)
      await died
    },
  )

  /** It fails, and whatever is killed meanwhile, its plan ends well and does nothing twice. */
  async function survives(node: string): Promise<void> {
    const workloads = world.fleet.workloadsOn(node)
    const before = world.fleet.effects.length
    await world.fail(node)
    await world.untilClosed(node, 2)
    const told = world.told(node)
    const expected = ['fence', ...workloads.map((workload) => `recover ${workload}`)]
    expect([...told].sort(), world.story(node)).toEqual(expected.sort())
    expect(told[0]).toBe('fence')
    expect(told.indexOf(`recover ${node}-work`)).toBeGreaterThan(
      told.indexOf(`recover ${node}-data`),
    )
    for (const workload of workloads) {
      expect(world.dead.has(world.fleet.nodeOf(workload)!)).toBe(false)
    }
    expect(world.verified(node), world.story(node)).toEqual(['fence', 'recover'])
    expect(world.ends(node), world.story(node)).toEqual(['fail-over done'])
    const effects = world.fleet.effects.slice(before)
    expect(new Set(effects).size).toBe(effects.length)
    expect(effects).toHaveLength(told.length)
  }
})

/** Work, and the data that it depends on. */
function workloadsOf(node: NodeId) {
  const data = { ...placementOn(node), workload: `${node}-data` as WorkloadId }
  return [data, { ...placementOn(node), dependsOn: [data.workload] }]
}
