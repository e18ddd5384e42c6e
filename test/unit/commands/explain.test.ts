// Goal: the story of an incident says what was seen, refused, decided and done, in order and with numbers.
// Method: the journal is that of a real coordinator.
import { expect, test } from 'vitest'
import { Stories } from '../../../src/commands/stories.ts'
import { storyText } from '../../../src/commands/story-text.ts'
import type { Evidence } from '../../../src/core/fault.ts'
import { CoordinatorWorld } from '../../support/coordinator-world.ts'

function storiesOf(world: CoordinatorWorld): Stories {
  const stories = new Stories()
  for (const entry of world.journal()) stories.add(entry)
  return stories
}

/** A node is expected to fail, its work moves, and then it does fail. */
function foreseen(): CoordinatorWorld {
  const world = new CoordinatorWorld()
  world.joinMany(30)
  world.join('ill')
  world.place('w1', 'ill')
  world.control({ kind: 'veto', node: 'ill' as never, veto: true })
  world.risky('ill')
  world.after(2_000)
  world.control({ kind: 'veto', node: 'ill' as never, veto: false })
  for (const command of world.commands()) world.carryOut(command)
  world.after(60_000)
  world.fail('ill', 'disk')
  return world
}

test('an incident is told from what was seen to what became of it', () => {
  const world = foreseen()
  const stories = storiesOf(world)
  const [id] = stories.ids()
  const story = stories.find(id)!
  const closedAtMs = world.nowMs
  expect(story).toMatchObject({ node: 'ill', pool: 'web', outcome: 'foreseen', closedAtMs })
  const text = storyText(story)
  const told = [
    'seen',
    'refused by veto',
    'The plan has 2 steps: cordon, migrate:w1.',
    'decided',
    'is verified',
    'The plan to migrate the work of node ill is done: 2 of 2 steps',
    'was foreseen 1m',
    'disk',
  ]
  for (const [i, each] of told.entries()) {
    expect(text).toContain(each)
    if (i > 0) expect(text.indexOf(each)).toBeGreaterThan(text.indexOf(told[i - 1]))
  }
  expect(text).toMatch(/^Incident \S+: node ill of pool web\nopened 2025-/)
  expect(text).toContain('+2s')
})

test('a command is explained by its incident', () => {
  const world = foreseen()
  const stories = storiesOf(world)
  const [command] = world.commands('migrate')
  expect(stories.find(command.commandId)?.incidentId).toBe(command.incidentId)
  expect(stories.find('nothing')).toBeUndefined()
})

test('the newest incident comes first, and one that is over says when', () => {
  const world = new CoordinatorWorld()
  world.joinMany(30)
  world.risky('n1')
  world.after(5_000)
  world.risky('n2')
  world.assess('n1', { probability: 0.01 })
  const [newest, oldest] = storiesOf(world).newestFirst()
  expect([newest.node, newest.closedAtMs]).toEqual(['n2', null])
  expect([oldest.node, oldest.closedAtMs]).toEqual(['n1', world.nowMs])
})

test('what a model saw stands beside what is usual, and what a limit is beside the limit', () => {
  const evidence: readonly Evidence[] = [
    { what: 'probability', value: 0.9, limit: 0.8 },
    {
      what: 'smart_197.value',
      value: 24,
      limit: null,
      expected: { low: 0, high: 1, quantiles: [0.1, 0.9] },
      peerPercentile: 0.995,
    },
  ]
  const world = foreseen()
  const story = storiesOf(world).newestFirst()[0]
  const entries = story.entries.map((entry) => ({ ...entry, evidence }))
  const text = storyText({ ...story, entries })
  expect(text).toContain('probability: 0.9 (limit 0.8)')
  expect(text).toContain('smart_197.value: 24 (usual 0 to 1, above 99 % of its peers)')
})
