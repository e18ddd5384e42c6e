// Goal: leases that ask at the same moment cost one question, and nobody gets an old answer.
import { expect, test } from 'vitest'
import { RecentEnds } from '../../../../src/bus/kafka/recent-ends.ts'

function createWorld() {
  const world = { nowMs: 1_000, asked: [] as string[], fails: false }
  const ends = new RecentEnds(
    async (topic) => {
      world.asked.push(topic)
      if (world.fails) throw new Error('no answer')
      return [world.asked.length]
    },
    () => world.nowMs,
  )
  return { world, ends }
}

test('one question serves all who ask within a tenth of a second, by topic', async () => {
  const { world, ends } = createWorld()
  const first = [ends.of('a'), ends.of('a'), ends.of('b')]
  world.nowMs += 100
  first.push(ends.of('a'))
  expect(await Promise.all(first)).toEqual([[1], [1], [2], [1]])
  world.nowMs += 1
  expect(await ends.of('a')).toEqual([3])
  expect(world.asked).toEqual(['a', 'b', 'a'])
})

test('a failure is not kept', async () => {
  const { world, ends } = createWorld()
  world.fails = true
  await expect(ends.of('a')).rejects.toThrow('no answer')
  world.fails = false
  expect(await ends.of('a')).toEqual([2])
})
