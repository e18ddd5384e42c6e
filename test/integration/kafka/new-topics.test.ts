/**
 * Goal: a bus answers for topics that it has just made, however many are asked for at once.
 * Method: a fresh client, fresh topics, and every question at the same moment.
 */
import { expect, test } from 'vitest'

import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import { kafkaBrokers, uniquePrefix } from '../../support/kafka.ts'

const TOPICS = 18
const PARTITIONS = 8

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
