/**
 * Goal: whatever way a plan goes (work that moves before a failure, a standby that takes over, a plan that comes to
 * nothing and is taken back), it ends well when the process that coordinates it is killed at any of its steps.
 * Method: as in plan.test.ts, with standbys, and with a model that foretells a failure where processors are busy.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadNodeClasses } from '../../../src/config/node-classes.ts'
import { packagedNodeClasses } from '../../../src/commands/package.ts'
import type { NodeId, WorkloadId } from '../../../src/core/ids.ts'
import { type Phase, PHASES } from '../../support/gated-fleet.ts'
import { writeTinyModel } from '../../support/history/tiny-model.ts'
import { kafkaBrokers } from '../../support/kafka.ts'
import { PlanWorld } from '../../support/plan-world.ts'
import { placementOn } from '../../support/server-pulse.ts'

/** Of a node's own step those that something else waits for. */
const OWN_PHASES: readonly Phase[] = ['sent', 'succeeded']
const named = <Step>(prefix: string, steps: readonly Step[]) =>
  steps.map((step, index) => ({ ...step, node: `${prefix}${index}` }))
const PROMOTIONS = named(
  'standby',
  PHASES.map((phase) => ({ phase })),
)
const MIGRATIONS = named('moved', [
  ...OWN_PHASES.map((phase) => ({ action: 'cordon' as const, phase })),
  ...PHASES.map((phase) => ({ action: 'migrate' as const, phase })),
  ...OWN_PHASES.map((phase) => ({ action: 'uncordon' as const, phase })),
])
const TAKEN_BACK = named('back', [
  { action: 'migrate' as const, phase: 'succeeded' as const },
  ...OWN_PHASES.map((phase) => ({ action: 'uncordon' as const, phase })),
])
const OTHERS = ['warm', ...Array.from({ length: 12 }, (_, n) => `spare${n}`)]
const NODES = [...[...PROMOTIONS, ...MIGRATIONS, ...TAKEN_BACK].map(({ node }) => node), ...OTHERS]
/** The processors of an ill server are busier. */
const BUSY_CPU = 0.7
/** Tries of a step, as policies have it by default. */
const ATTEMPTS = [1, 2, 3]

const brokers = await kafkaBrokers()

describe.skipIf(brokers === null)('the ways of plans on a real broker', () => {
  let world: PlanWorld

  beforeAll(async () => {
    const server = loadNodeClasses(packagedNodeClasses()).get('server')!
    const model = writeTinyModel(server, BUSY_CPU)
    world = await PlanWorld.start({ brokers: brokers ?? [], nodes: NODES, workloadsOf, model })
  })

  afterAll(async () => {
    await world.close()
  })

  test.each(PROMOTIONS)(
    'killed when a promotion is $phase, the work goes on from its standby, once',
    async ({ node, phase }) => {
      const before = world.fleet.effects.length
      world.killAt(node, 'promote', phase)
      await world.fail(node)
      await world.untilClosed(node, 2)
      expect(world.kills.at(-1)).toBe(`${node} promote ${phase}`)
      const told = [...world.told(node)].sort()
      expect(told.slice(0, 2), world.story(node)).toEqual(['fence', `promote ${node}-data`])
      // The next owner may not know yet how the standby is; what has room and is known goes first then.
      expect([`promote ${node}-work`, `recover ${node}-work`]).toContain(told[2])
      expect(world.fleet.nodeOf(`${node}-data`)).toBe('warm')
      expect(world.ends(node), world.story(node)).toEqual(['fail-over done'])
      onlyOnce(before, 3)
    },
  )

  test.each(MIGRATIONS)(
    'killed when the $action of work that moves ahead of a failure is $phase, nothing moves twice',
    async ({ node, action, phase }) => {
      const before = world.fleet.effects.length
      world.killAt(node, action, phase)
      world.pulse.ail(node)
      await world.untilEnded(node, 'migrate done')
      world.pulse.heal(node)
      await world.untilClosed(node, 3)
      expect(world.kills.at(-1)).toBe(`${node} ${action} ${phase}`)
      expect([...world.told(node)].sort(), world.story(node)).toEqual([
        'cordon',
        `migrate ${node}-data`,
        `migrate ${node}-work`,
        'uncordon',
      ])
      expect(world.fleet.workloadsOn(node)).toEqual([])
      expect(world.verified(node)).toEqual(['cordon', 'migrate', 'uncordon'])
      onlyOnce(before, 4)
    },
  )

  test.each(TAKEN_BACK)(
    'killed when the $action of a plan that comes to nothing is $phase, its node is let back, once',
    async ({ node, action, phase }) => {
      const before = world.fleet.effects.length
      world.fleet.failing.add(node as NodeId)
      world.killAt(node, action, phase)
      world.pulse.ail(node)
      await world.untilEnded(node, 'migrate failed')
      world.pulse.heal(node)
      await world.untilClosed(node, 2)
      expect(world.kills.at(-1)).toBe(`${node} ${action} ${phase}`)
      expect([...world.told(node)].sort(), world.story(node)).toEqual([
        'cordon',
        ...ATTEMPTS.map(() => `migrate ${node}-data`),
        ...ATTEMPTS.map(() => `migrate ${node}-work`),
        'uncordon',
      ])
      expect(world.fleet.workloadsOn(node)).toEqual([`${node}-data`, `${node}-work`])
      expect(world.verified(node)).toEqual(['cordon', 'uncordon'])
      onlyOnce(before, 2)
    },
  )

  /** What took effect since then. */
  function onlyOnce(before: number, count: number): void {
    const effects = world.fleet.effects.slice(before)
    expect(new Set(effects).size).toBe(effects.length)
    expect(effects).toHaveLength(count)
  }
})

/** Work, and the data that it depends on; a node has no room for more. Some have copies that are kept warm. */
function workloadsOf(node: NodeId) {
  if (OTHERS.includes(node)) return []
  const standby = node.startsWith('standby') ? { standby: 'warm' as NodeId } : {}
  const work = { ...placementOn(node), ...standby, needs: { cpu: 6, memoryBytes: 1e9, gpu: null } }
  const data = { ...work, workload: `${node}-data` as WorkloadId }
  return [data, { ...work, dependsOn: [data.workload] }]
}
