/**
 * Goal: with three brokers one may die under load, and nothing is lost or repeated; topics have three
 * copies. Method: a cluster of the test's own, of which one broker is killed by signal and started
 * again while a copying lease, a producer and a reader go on.
 */
import kafkajs from 'kafkajs'
import { describe, expect, test } from 'vitest'

import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import { toText } from '../../../src/core/bytes.ts'
import { uniquePrefix } from '../../support/kafka.ts'
import { canRunBrokers, ownBrokers } from '../../support/own-brokers.ts'
import { until } from '../../support/until.ts'
import { copyWhileOwned } from './copier.ts'

const PORT = 19_592
const PARTITIONS = 3
const WAIT_MS = 60_000

describe.skipIf(!(await canRunBrokers()))('three brokers', () => {
  test('keep three copies, and one may die without a record lost or repeated', async () => {
    const { brokers, pids } = await ownBrokers(PORT, 'up', '--brokers', '3', '--fresh')
    const prefix = uniquePrefix('cluster')
    const bus = await openKafkaBus({ brokers, clientId: 'cluster', prefix })
    try {
      const [input, out] = [`${prefix}in`, `${prefix}out`]
      await bus.create(
        [input, out].map((name) => ({ name, partitions: PARTITIONS, cleanup: 'delete' })),
      )
      expect(await copies(brokers, out)).toEqual([3, 3, 3])
      await bus.join({
        group: `${prefix}copiers`,
        role: 'copier',
        topics: [input],
        claimTopic: null,
        onGained: (lease) => void copyWhileOwned(lease, out),
      })
      const reader = await bus.read({ topic: out, from: 'start' })
      const seen: string[] = []
      let sent = 0
      const produce = async (count: number): Promise<void> => {
        for (let i = 0; i < count; i++, sent++) {
          const [partition, value] = [sent % PARTITIONS, `${sent}`]
          await bus.produce([{ topic: input, partition, key: null, value }])
        }
      }
      const allCopied = (): Promise<true> =>
        until(`${sent} copies`, WAIT_MS, async () => {
          seen.push(...(await reader.take(100)).map(({ value }) => toText(value!)))
          return seen.length >= sent
        })
      await produce(60)
      await allCopied()
      process.kill(pids[1], 'SIGKILL')
      await produce(60)
      await allCopied()
      await ownBrokers(PORT, 'up')
      await produce(60)
      await allCopied()
      const number = (a: string, b: string): number => Number(a) - Number(b)
      expect(seen.sort(number)).toEqual(Array.from({ length: sent }, (_, i) => `${i}`))
    } finally {
      await bus.close()
      await ownBrokers(PORT, 'down', '--fresh')
    }
  })
})

/** Of each partition. */
async function copies(brokers: readonly string[], topic: string): Promise<readonly number[]> {
  const { logLevel } = kafkajs
  const admin = new kafkajs.Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  await admin.disconnect()
  return topics[0].partitions.map(({ replicas }) => replicas.length)
}
