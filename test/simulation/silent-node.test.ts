// Goal: a node that falls silent is fenced once and its workload recovered once, and nothing happens
// to any other, whatever the broker does and whoever of us dies. Each run is repeated by its seed.
import { expect, test } from 'vitest'
import type { Command } from '../../src/core/command.ts'
import { ServerWorld } from './server-world.ts'

const FAULTS = {
  ackDelayMsMax: 30,
  deliveryDelayMsMax: 200,
  commitAbortedRatio: 0.05,
  commitUnknownRatio: 0.01,
  rebalanceEveryMs: 20_000,
}

function told(commands: readonly Command[]): readonly string[] {
  return commands.map(({ action, node, workload }) =>
    [action, node, workload ?? ''].join(' ').trim(),
  )
}

test.each(Array.from({ length: 12 }, (_, index) => 101 + index))(
  'seed %i: one fence, one recovery, for the silent node alone',
  async (seed) => {
    const world = new ServerWorld({ seed, faults: FAULTS })
    await world.begin()
    for (const name of ['a', 'b']) await world.start(name)
    await world.seconds(40)
    expect(told(world.commands), `seed ${seed}`).toEqual([])
    world.silence('n4')
    await world.seconds(seed % 20)
    world.broker.crash('b')
    await world.start('b')
    world.broker.expireOwner('world.watcher', seed % 3)
    await world.seconds(20)
    world.broker.expireOwner('world.coordinator', seed % 2)
    await world.seconds(100)
    expect(told(world.commands), `seed ${seed}`).toEqual(['fence n4', 'recover n4 w4'])
    expect(world.commands[1].target, `seed ${seed}`).not.toBe('n4')
    expect(world.outcomes.get('aborted'), `seed ${seed}`).toBeGreaterThan(0)
    expect(world.failures, `seed ${seed}`).toEqual([])
  },
)

test.each([7, 8, 9])(
  'seed %i: when all of us were away for minutes, no node is blamed',
  async (seed) => {
    const world = new ServerWorld({ seed, faults: FAULTS })
    await world.begin()
    for (const name of ['a', 'b']) await world.start(name)
    await world.seconds(40)
    for (const name of ['a', 'b']) world.broker.crash(name)
    await world.seconds(180)
    for (const name of ['a', 'b']) await world.start(name)
    await world.seconds(60)
    expect(told(world.commands), `seed ${seed}`).toEqual([])
    // And they watch again.
    world.silence('n1')
    await world.seconds(60)
    expect(told(world.commands), `seed ${seed}`).toEqual(['fence n1', 'recover n1 w1'])
  },
)

test('one seed gives one course', async () => {
  const courses = await Promise.all(
    [1, 2].map(async () => {
      const world = new ServerWorld({ seed: 42, faults: FAULTS })
      await world.begin()
      await world.start('a')
      await world.seconds(30)
      world.silence('n2')
      await world.seconds(60)
      expect(world.commands).toHaveLength(2)
      return [world.commands, world.journal, [...world.outcomes]]
    }),
  )
  expect(courses[0]).toEqual(courses[1])
})
