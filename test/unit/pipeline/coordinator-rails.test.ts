// Goal: each rail holds what it is for, and nothing else holds it.
// Method: one scenario per rail through the whole fold, run twice: with every rail the command is
// refused by that rail and not sent; with that one rail taken away it goes out.
import { describe, expect, test } from 'vitest'
import type { Command, Rail } from '../../../src/core/command.ts'
import type { NodeId } from '../../../src/core/ids.ts'
import { DEFAULT_PROMOTION, type PromotionRules } from '../../../src/core/model-life.ts'
import type { Policy } from '../../../src/core/policy.ts'
import { RAILS } from '../../../src/decide/admission.ts'
import { CAPACITY, CoordinatorWorld } from '../../support/coordinator-world.ts'
import { VOTE_RULES } from '../../support/votes.ts'
import { reach, SPLIT_BRAIN } from '../../support/split-network.ts'

interface Scenario {
  readonly rail: Rail
  readonly because: string
  readonly policy?: Partial<Policy>
  readonly promotion?: PromotionRules
  /** Leads up to the command that must not go out. */
  readonly play: (world: CoordinatorWorld) => void
  readonly held: (command: Command) => boolean
}

const A100 = { model: 'a100', count: 8, interconnect: 'nvlink' }
const onNode0 = ({ node }: Command) => node === 'n0'

const SCENARIOS: readonly Scenario[] = [
  {
    rail: 'stop',
    because: 'an operator stopped the pool',
    play: (world) => {
      world.control({ kind: 'stop', stopped: true })
      world.risky('n0')
    },
    held: onNode0,
  },
  {
    rail: 'stop',
    because: 'every pool is stopped, and recovery of a dead node is no exception',
    play: (world) => {
      world.control({ kind: 'stop', pool: null, stopped: true })
      world.fail('n0')
    },
    held: onNode0,
  },
  {
    rail: 'mode',
    because: 'the policy only observes',
    policy: { mode: 'observe' },
    play: (world) => world.risky('n0'),
    held: onNode0,
  },
  {
    rail: 'mode',
    because: 'the operator wants to approve each action',
    play: (world) => {
      world.control({ kind: 'mode', mode: 'approve' })
      world.silent('n0')
    },
    held: onNode0,
  },
  {
    rail: 'veto',
    because: 'an operator keeps the service off this node',
    play: (world) => {
      world.control({ kind: 'veto', node: 'n0' as NodeId, veto: true })
      world.risky('n0')
    },
    held: onNode0,
  },
  {
    rail: 'maintenance',
    because: 'the node is being worked on',
    play: (world) => {
      const untilMs = world.nowMs + 60_000
      world.fact({ kind: 'maintenance', node: 'n0' as NodeId, atMs: world.nowMs, untilMs })
      world.silent('n0')
    },
    held: onNode0,
  },
  {
    rail: 'observer',
    because: 'our own watcher is late, so a high probability is old news',
    play: (world) => {
      world.assess('n0', { liveness: 'unknown', probability: 0.95 }, { late: true })
    },
    held: onNode0,
  },
  {
    rail: 'no-quorum',
    because: 'no side of the split network has a majority',
    policy: { splitBrain: SPLIT_BRAIN },
    play: (world) => {
      reach(world, (node) => (node < 4 ? 0 : node < 8 ? 1 : 2), 30)
      world.fail('n0')
    },
    held: onNode0,
  },
  {
    rail: 'emergency',
    because: 'four of nine nodes are silent',
    policy: { budgetRatio: 1 },
    play: (world) => {
      for (const node of ['n1', 'n2', 'n3', 'n4']) world.silent(node)
      world.risky('n0')
    },
    held: onNode0,
  },
  {
    rail: 'emergency',
    because: 'an operator has declared one',
    play: (world) => {
      world.control({ kind: 'emergency', emergency: true })
      world.risky('n0')
    },
    held: onNode0,
  },
  {
    rail: 'shared-cause',
    because: 'half of a zone alarms at once',
    policy: { budgetRatio: 1, sharedCauseRatio: 0.3 },
    play: (world) => {
      const nodes = world.joinMany(6, 'z')
      for (const node of nodes.slice(0, 3)) world.risky(node)
    },
    held: ({ node }) => node === 'z2',
  },
  {
    rail: 'hysteresis',
    because: 'two assessments in a row are asked for and one was seen',
    policy: { persistenceCount: 2, attemptsMax: 3 },
    play: (world) => world.risky('n0'),
    // Without the rail nothing is opened either: the refusal itself is what goes away.
    held: () => false,
  },
  {
    rail: 'attempts',
    because: 'two attempts were allowed and both failed',
    policy: { attemptsMax: 2 },
    play: (world) => {
      world.silent('n0')
      for (let i = 0; i < 2; i++) world.result(world.commands('fence').at(-1)!, 'failed')
    },
    // Two go out with the rail, a third without it.
    held: ({ action }) => action === 'fence',
  },
  {
    rail: 'cooldown',
    because: 'the node was acted on a minute ago for another incident',
    play: (world) => {
      world.risky('n0')
      for (const command of world.commands()) world.carryOut(command)
      world.risky('n0', 0.1)
      world.carryOut(world.commands('uncordon')[0])
      world.after(60_000)
      world.place('w', 'n0')
      world.outputs.length = 0
      world.risky('n0')
    },
    held: onNode0,
  },
  {
    rail: 'budget',
    because: 'a tenth of 9 nodes is less than one, and one node is already in work',
    play: (world) => {
      world.risky('n0')
      world.risky('n1')
    },
    held: ({ node }) => node === 'n1',
  },
  {
    rail: 'capacity',
    because: 'no other node has the GPUs that the workload needs',
    play: (world) => {
      const gpu = { model: 'h100', count: 1, interconnect: null }
      world.join('other-gpu', { capacity: { ...CAPACITY, gpu: A100 } })
      world.place('w-gpu', 'n0', { needs: { cpu: 1, memoryBytes: 1, gpu } })
      world.risky('n0')
    },
    held: ({ workload, action }) => workload === 'w-gpu' && action === 'migrate',
  },
  {
    rail: 'in-flight',
    because: 'the workload is already moving when its node dies',
    play: (world) => {
      world.risky('n0')
      world.result(world.commands('migrate')[0], 'started')
      world.silent('n0')
      world.result(world.commands('fence')[0], 'succeeded')
    },
    held: ({ action }) => action === 'recover',
  },
  {
    rail: 'votes',
    because: 'two nodes at once are fenced only by a vote',
    policy: { budgetRatio: 1, votes: { ...VOTE_RULES, fenceNodesMax: 1 } },
    play: (world) => {
      world.silent('n1')
      world.silent('n0')
    },
    held: onNode0,
  },
  {
    rail: 'hold-out',
    because: 'all alarms are held out, to know what becomes of them',
    promotion: { ...DEFAULT_PROMOTION, holdOutRatio: 1 },
    play: (world) => world.risky('n0'),
    held: onNode0,
  },
]

function played(scenario: Scenario, without: Rail | null): CoordinatorWorld {
  const rails = RAILS.filter(({ rail }) => rail !== without)
  const { policy = {}, promotion = DEFAULT_PROMOTION } = scenario
  const world = new CoordinatorWorld({ rails, policy, promotion })
  world.joinMany(9)
  world.place('w', 'n0')
  scenario.play(world)
  return world
}

test('every rail has a scenario', () => {
  const covered = new Set(SCENARIOS.map(({ rail }) => rail))
  expect([...covered].sort()).toEqual(RAILS.map(({ rail }) => rail).sort())
})

describe.each(SCENARIOS)('$rail, when $because', (scenario) => {
  const heldCount = (world: CoordinatorWorld) => world.commands().filter(scenario.held).length

  test('the refusal is journaled with its rail and a reason', () => {
    const world = played(scenario, null)
    const refusal = world.journal('refusal').find(({ rail }) => rail === scenario.rail)
    expect(refusal).toBeDefined()
    expect(refusal!.reasons[0]).toMatch(/^Not done: .{15,}\.$/)
  })

  test('whoever waits for it is counted', () => {
    const [held, free] = [played(scenario, null), played(scenario, scenario.rail)]
    // Before an alarm is raised there is no incident that could wait.
    const isEarly = scenario.rail === 'hysteresis'
    expect(held.railFigures().refused.has(scenario.rail)).toBe(!isEarly)
    expect(free.railFigures().refused.has(scenario.rail)).toBe(false)
  })

  test('without the rail it is no longer refused, and more goes out', () => {
    const [held, free] = [played(scenario, null), played(scenario, scenario.rail)]
    expect(free.rails()).not.toContain(scenario.rail)
    if (scenario.rail === 'hysteresis') return
    expect(heldCount(free)).toBeGreaterThan(heldCount(held))
    if (scenario.rail !== 'attempts') expect(heldCount(held)).toBe(0)
  })
})

test('a refusal is written once, and again after it had stopped applying', () => {
  const world = new CoordinatorWorld({ policy: { mode: 'observe' } })
  world.joinMany(3)
  world.place('w', 'n0')
  for (let i = 0; i < 5; i++) world.risky('n0')
  expect(world.rails()).toEqual(['mode'])
  world.control({ kind: 'mode', mode: 'enforce' })
  world.control({ kind: 'mode', mode: 'observe' })
  world.risky('n0', 0.1)
  world.after(world.policy.cooldownMs)
  world.risky('n0')
  expect(world.rails().filter((rail) => rail === 'mode').length).toBeGreaterThan(1)
})

test.each([
  {
    allowed: 'a mode',
    before: { kind: 'mode', mode: 'observe' } as const,
    after: { kind: 'mode', mode: 'enforce' } as const,
  },
  {
    allowed: 'a stop that ends',
    before: { kind: 'stop', stopped: true } as const,
    after: { kind: 'stop', stopped: false } as const,
  },
  {
    allowed: 'a veto that is taken back',
    before: { kind: 'veto', node: 'n0' as NodeId, veto: true } as const,
    after: { kind: 'veto', node: 'n0' as NodeId, veto: false } as const,
  },
])('$allowed is followed at once, without another word of the node', ({ before, after }) => {
  const world = new CoordinatorWorld()
  world.joinMany(3)
  world.control(before)
  world.place('w', 'n0')
  world.fail('n0')
  expect(world.commands()).toEqual([])
  world.control(after)
  expect(world.commands('fence')).toHaveLength(1)
})

test('what undoes passes a stopped pool', () => {
  const world = new CoordinatorWorld()
  world.joinMany(3)
  world.place('w', 'n0')
  world.risky('n0')
  world.control({ kind: 'stop', stopped: true })
  expect(world.commands('cancel')).toHaveLength(1)
  world.risky('n0', 0.1)
  expect(world.commands('uncordon')).toHaveLength(1)
})

test('a maintenance and a cooldown end by themselves', () => {
  const world = new CoordinatorWorld()
  world.joinMany(3)
  world.place('w', 'n0')
  const untilMs = world.nowMs + 60_000
  world.fact({ kind: 'maintenance', node: 'n0' as NodeId, atMs: world.nowMs, untilMs })
  world.silent('n0')
  world.after(59_999)
  expect(world.commands()).toEqual([])
  world.after(1)
  expect(world.commands('fence')).toHaveLength(1)
})

test('a wait is not forgotten while others are served', () => {
  const world = new CoordinatorWorld({ policy: { budgetRatio: 1 } })
  world.joinMany(4)
  world.place('w', 'n0')
  const untilMs = world.nowMs + 60_000
  world.fact({ kind: 'maintenance', node: 'n0' as NodeId, atMs: world.nowMs, untilMs })
  world.silent('n0')
  world.after(1_000)
  world.silent('n1')
  world.after(59_000)
  expect(world.commands('fence').map(({ node }) => node)).toEqual(['n1', 'n0'])
})

test('recovery goes on at budget pace while a zone is frozen, and people are told once', () => {
  const world = new CoordinatorWorld({ policy: { sharedCauseNodesMin: 5 } })
  const nodes = world.joinMany(6, 'z')
  for (const node of nodes) world.place(`w-${node}`, node)
  for (const node of nodes.slice(0, 4)) world.silent(node)
  expect(world.commands('fence')).toHaveLength(1)
  world.carryOut(world.commands('fence')[0])
  expect(world.commands('recover')).toHaveLength(1)
  world.carryOut(world.commands('recover')[0])
  expect(world.commands('fence')).toHaveLength(2)
  const alerts = world.outputs.filter(({ headers }) =>
    headers?.['ce_type']?.endsWith('shared-cause'),
  )
  expect(alerts).toHaveLength(1)
})

test('a node that a prediction keeps from work uses the budget until it is let back', () => {
  const world = new CoordinatorWorld({ policy: { sharedCauseNodesMin: 100 } })
  world.joinMany(9)
  world.risky('n0')
  world.carryOut(world.commands('cordon')[0])
  world.risky('n1')
  expect(world.commands('cordon').map(({ node }) => node)).toEqual(['n0'])
  world.risky('n0', 0.1)
  world.carryOut(world.commands('uncordon')[0])
  expect(world.commands('cordon').map(({ node }) => node)).toEqual(['n0', 'n1'])
})

test('what is open for a node goes on where the node is: its release ends in another pool as well', () => {
  const world = new CoordinatorWorld()
  world.joinMany(4)
  world.silent('n0')
  world.carryOut(world.commands('fence')[0])
  world.live('n0')
  world.fact({ kind: 'labels', node: 'n0' as NodeId, atMs: world.nowMs, labels: { pool: 'other' } })
  world.carryOut(world.commands('uncordon')[0])
  expect(world.stats()['openIncidentCount']).toBe(0)
})

test('a release whose attempts are used up is tried anew after a cooldown: no node is out for good', () => {
  const world = new CoordinatorWorld({ policy: { attemptsMax: 2, cooldownMs: 60_000 } })
  world.joinMany(4)
  world.silent('n0')
  world.carryOut(world.commands('fence')[0])
  world.live('n0')
  for (let i = 0; i < 2; i++) world.result(world.commands('uncordon').at(-1)!, 'failed')
  expect(world.commands('uncordon')).toHaveLength(2)
  expect(world.rails().at(-1)).toBe('attempts')
  world.after(60_000)
  expect(world.commands('uncordon')).toHaveLength(3)
  world.carryOut(world.commands('uncordon')[2])
  expect(world.stats()['openIncidentCount']).toBe(0)
})

test('what a stop or a mode held back is done when it is over, without a new word of the node', () => {
  for (const hold of ['stop', 'mode'] as const) {
    const world = new CoordinatorWorld()
    world.joinMany(9)
    const held = hold === 'stop' ? { stopped: true } : { mode: 'observe' as const }
    world.control({ kind: hold, ...held })
    world.silent('n0')
    expect(world.commands()).toEqual([])
    const free = hold === 'stop' ? { stopped: false } : { mode: 'enforce' as const }
    world.control({ kind: hold, ...free })
    expect(world.commands()).toMatchObject([{ action: 'fence', node: 'n0' }])
  }
})
