/**
 * Goal: whatever a plan is for (a node that died, one with hot standbys, one that will fail, one that nothing
 * can leave), it ends as well when the process that coordinates it is killed at any of its steps, with
 * nothing done twice.
 * Method: the whole service in a process of its own on a real broker, executors whose every step waits
 * for the test, and `kill -9` while one of them waits, or within the commit that sends the plan's commands.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CommandAction } from '../../../src/core/command.ts'
import { POLICY } from '../../support/deployment.ts'
import { type Phase, PHASES } from '../../support/gated-fleet.ts'
import { kafkaBrokers } from '../../support/kafka.ts'
import { PlanWorld } from '../../support/plan-world.ts'

interface Kill {
  readonly node: string
  readonly action: CommandAction
  readonly phase: Phase
}

/** A case for each phase, on a node of its own. */
function kills(name: string, action: CommandAction, phases: readonly Phase[]): readonly Kill[] {
  return phases.map((phase) => ({ node: `${name}-${action}-${phase}`, action, phase }))
}

/** Of a move all; of a node's own step those that something else waits for. */
const OWN = ['sent', 'succeeded'] as const
const MIGRATE = [...kills('hot', 'cordon', OWN), ...kills('hot', 'migrate', PHASES)]
const COMPENSATE = [
  ...kills('stuck', 'migrate', ['started', 'succeeded']),
  ...kills('stuck', 'uncordon', ['sent', 'accepted', 'succeeded']),
]
const FAIL_OVER = [...kills('dead', 'fence', OWN), ...kills('dead', 'recover', PHASES)]
const PROMOTE = [...kills('twin', 'fence', OWN), ...kills('twin', 'promote', PHASES)]
/** Planned and folded, or written and not committed: nobody has seen a command. */
const COMMITS = ['begun', 'offsets'] as const
/** Left to take the work, and to keep the standbys. */
const SPARES = ['spare0', 'spare1', 'spare2']
const NODES = [
  ...[...MIGRATE, ...COMPENSATE, ...FAIL_OVER, ...PROMOTE].map(({ node }) => node),
  ...COMMITS,
  'quiet',
  ...SPARES,
]

const brokers = await kafkaBrokers()

// What is moved ahead of a failure comes first: a pool half of which is dead moves nothing ahead of one.
describe.skipIf(brokers === null)('a plan on a real broker', () => {
  let world: PlanWorld

  beforeAll(async () => {
    const standbys = Object.fromEntries(
      PROMOTE.map(({ node }, index) => [node, SPARES[index % SPARES.length]]),
    )
    world = await PlanWorld.start({
      brokers: brokers ?? [],
      nodes: NODES,
      spares: SPARES,
      standbys,
    })
  })

  afterAll(async () => {
    await world.close()
  })

  test.each(MIGRATE)(
    'work leaves a node in time: killed when the $action is $phase',
    async ({ node, action, phase }) => {
      world.killAt(node, action, phase)
      await world.survivesFever(node)
      expect(world.kills.at(-1)).toBe(`${node} ${action} ${phase}`)
    },
  )

  test.each(COMPENSATE)(
    'nothing can leave the node, and its cordon is taken back: killed when the $action is $phase',
    async ({ node, action, phase }) => {
      world.killAt(node, action, phase)
      await world.survivesCompensation(node, POLICY.attemptsMax)
      expect(world.kills.at(-1)).toBe(`${node} ${action} ${phase}`)
    },
  )

  test('a node falls silent: it is fenced, and its work runs elsewhere, verified', async () => {
    world.pulse.silence('quiet')
    await world.untilRecovered('quiet')
    expect(world.told('quiet')).toEqual(['fence', 'recover quiet-data', 'recover quiet-work'])
    expect(SPARES).toContain(world.fleet.nodeOf('quiet-work'))
    expect(world.verified('quiet')).toEqual(['fence', 'recover'])
  })

  test.each(FAIL_OVER)(
    'work of a dead node is recovered: killed when the $action is $phase',
    async ({ node, action, phase }) => {
      world.killAt(node, action, phase)
      await world.survivesFailure(node)
      expect(world.kills.at(-1)).toBe(`${node} ${action} ${phase}`)
    },
  )

  test.each(PROMOTE)(
    'work of a dead node goes on from its standby: killed when the $action is $phase',
    async ({ node, action, phase }) => {
      world.killAt(node, action, phase)
      await world.survivesFailure(node, 'promote')
      expect(world.kills.at(-1)).toBe(`${node} ${action} ${phase}`)
    },
  )

  test.each(COMMITS)(
    'killed before its commands are committed (%s), the next owner sends the plan once',
    async (step) => {
      const died = world.dieInCommit(step)
      await world.survivesFailure(step)
      await died
    },
  )
})
