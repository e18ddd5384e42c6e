import { createRequire } from 'node:module'
import { describe, expect, test } from 'vitest'

import type { FetchedPartition } from '../../../../src/bus/kafka/mends.ts'
import { hideAborted, mendKafkajs } from '../../../../src/bus/kafka/mends.ts'

interface Sent {
  readonly producer: string
  readonly kind?: 'commit' | 'abort'
  readonly plain?: boolean
}

/** Offsets count from `first`; records outside of transactions are `plain`. */
function partition(
  first: number,
  sent: readonly Sent[],
  aborted: FetchedPartition['abortedTransactions'],
): FetchedPartition {
  const messages = sent.map(({ producer, kind, plain = false }, i) => ({
    offset: first + i,
    key: kind === undefined ? null : new Uint8Array([0, 0, 0, kind === 'abort' ? 0 : 1]),
    isControlRecord: kind !== undefined,
    batchContext: {
      producerId: producer,
      inTransaction: !plain,
      isControlBatch: kind !== undefined,
    },
  }))
  return { messages, ...(aborted === undefined ? {} : { abortedTransactions: aborted }) }
}

function seen(fetched: FetchedPartition): readonly number[] {
  hideAborted(fetched)
  return fetched.messages.filter((each) => !each.isControlRecord).map((each) => each.offset)
}

const [a, b] = [{ producer: 'a' }, { producer: 'b' }]
const [abortA, abortB] = [
  { producer: 'a', kind: 'abort' },
  { producer: 'b', kind: 'abort' },
] as const
/** In the order in which the broker lists them: by the end of the transaction. */
const overlapping = [
  { producerId: 'b', firstOffset: '1' },
  { producerId: 'a', firstOffset: '0' },
]

describe('records of aborted transactions', () => {
  test.each([
    {
      fetched: partition(0, [a, b, abortB, abortA, { producer: 'a' }], overlapping),
      expected: [4],
      because: 'the list is sorted by the end',
    },
    {
      fetched: partition(2, [b, a, abortB, abortA, { producer: 'b' }], overlapping),
      expected: [6],
      because: 'both had begun before the fetch',
    },
    {
      fetched: partition(
        0,
        [a, { producer: 'a', plain: true }],
        [{ producerId: 'a', firstOffset: '0' }],
      ),
      expected: [1],
      because: 'outside of a transaction a producer cannot abort',
    },
    {
      fetched: partition(
        0,
        [a, { producer: 'a', kind: 'commit' }, a, abortA],
        [{ producerId: 'a', firstOffset: '2' }],
      ),
      expected: [0],
      because: 'an earlier transaction of the same producer was committed',
    },
    { fetched: partition(0, [a, b], undefined), expected: [0, 1], because: 'none aborted' },
  ])('stay hidden: $because', ({ fetched, expected }) => {
    expect(seen(fetched)).toEqual(expected)
  })

  test('the mend proves itself on kafkajs and may be called again', () => {
    mendKafkajs()
    mendKafkajs()
  })
})

describe('to describe a topic', () => {
  interface Cluster {
    metadata(of: { readonly topics: readonly string[] }): Promise<unknown>
  }

  /** One of kafkajs's that works with `a` and `b`, of the topics that there are. */
  function clusterOf(existing: readonly string[]) {
    mendKafkajs()
    const { prototype } = createRequire(import.meta.url)('kafkajs/src/cluster') as {
      readonly prototype: Cluster
    }
    const brokerPool = {
      known: ['a', 'b'] as readonly string[],
      async refreshMetadataIfNecessary(topics: readonly string[]) {
        if (topics.every((topic) => this.known.includes(topic))) return
        if (!topics.every((topic) => existing.includes(topic))) throw new Error('UNKNOWN_TOPIC')
        this.known = topics
      },
      withBroker: async (ask: (of: object) => Promise<unknown>) =>
        await ask({ broker: { metadata: async (topics: readonly string[]) => topics } }),
    }
    const retrier = async (ask: (bail: (error: unknown) => void) => Promise<unknown>) =>
      await ask((error) => {
        throw error
      })
    const own = { brokerPool, targetTopics: new Set(['a', 'b']), retrier }
    return { cluster: Object.assign(Object.create(prototype) as Cluster, own), brokerPool }
  }

  test('does not make a client forget the others', async () => {
    const { cluster, brokerPool } = clusterOf(['a', 'b', 'c'])
    expect(await cluster.metadata({ topics: ['c'] })).toEqual(['c'])
    expect(brokerPool.known).toEqual(['a', 'b', 'c'])
  })

  test('does not fail where another one is gone', async () => {
    const { cluster } = clusterOf(['a', 'c'])
    expect(await cluster.metadata({ topics: ['c'] })).toEqual(['c'])
  })

  test('fails where it is not there', async () => {
    const { cluster } = clusterOf(['a', 'b'])
    await expect(cluster.metadata({ topics: ['c'] })).rejects.toThrow('UNKNOWN_TOPIC')
  })
})
