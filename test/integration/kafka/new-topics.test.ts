/**
 * Goal: a bus answers for topics that it has just made, and for others, however many are asked for at once.
 * Method: a fresh client, fresh topics, and every question at the same moment.
 */
import { expect, test } from 'vitest'

import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import { kafkaBrokers, uniquePrefix } from '../../support/kafka.ts'

const TOPICS = 18
const PARTITIONS = 8
const ROUNDS = 600

const brokers = await kafkaBrokers()

test.skipIf(brokers === null)('offsets of new topics, all asked for at once', async () => {
  const prefix = uniquePrefix('new-topics')
  const bus = await openKafkaBus({ brokers: brokers ?? [], clientId: 'test', prefix })
  const names = Array.from({ length: TOPICS }, (_, i) => `${prefix}t${i}`)
  await bus.create(
    names.map((name) => ({ name, partitions: PARTITIONS, cleanup: 'delete' as const })),
  )
  const ends = await Promise.all(names.map((name) => bus.ends(name)))
  const starts = await Promise.all(names.map((name) => bus.starts(name)))
  const nothing = Array.from({ length: PARTITIONS }, () => 0)
  expect([...ends, ...starts]).toEqual([...names, ...names].map(() => nothing))
  await bus.close()
})

// A broker may answer that it hosts no such topic just after it has made one: kafkajs gives up then.
test.skipIf(brokers === null)('topics made one set after the other are there at once', async () => {
  const prefix = uniquePrefix('made-topics')
  const bus = await openKafkaBus({ brokers: brokers ?? [], clientId: 'test', prefix })
  for (let round = 0; round < 8; round++) {
    const specs = Array.from({ length: TOPICS }, (_, i) => ({
      name: `${prefix}r${round}.t${i}`,
      partitions: PARTITIONS,
      cleanup: 'delete' as const,
    }))
    await bus.create(specs)
    const described = await bus.describe(specs.map(({ name }) => name))
    expect([...described.values()].map(({ partitions }) => partitions)).toEqual(
      specs.map(() => PARTITIONS),
    )
  }
  await bus.close()
})

// Whoever is told of no offset begins at the start of a log, and sends again what was sent.
test.skipIf(brokers === null)(
  'what a group has committed is told whole, whatever else is asked at the same moment',
  async () => {
    const prefix = uniquePrefix('group-offsets')
    const bus = await openKafkaBus({ brokers: brokers ?? [], clientId: 'test', prefix })
    const [asked, other] = ['asked', 'other'].map((name) => `${prefix}${name}`)
    await bus.create(
      [asked, other].map((name) => ({ name, partitions: PARTITIONS, cleanup: 'delete' as const })),
    )
    const counts = new Set<number>()
    for (let round = 0; round < ROUNDS; round++) {
      const answers = Array.from({ length: 4 }, () => bus.committed(`${prefix}group`, asked))
      await bus.describe([other])
      for (const answer of await Promise.all(answers)) counts.add(answer.length)
    }
    expect([...counts]).toEqual([PARTITIONS])
    await bus.close()
  },
)
