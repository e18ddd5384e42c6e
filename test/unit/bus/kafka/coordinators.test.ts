// Goal: a coordinator is asked for once, and again whenever it may be another.
import { describe, expect, test } from 'vitest'
import type { CoordinatorClasses } from '../../../../src/bus/kafka/coordinators.ts'
import { rememberCoordinators } from '../../../../src/bus/kafka/coordinators.ts'

const [GROUP, TRANSACTION] = [0, 1]

/** Classes as kafkajs has them, of a cluster in which broker `at` coordinates everything. */
function kafka() {
  class Broker {
    readonly nodeId: string
    constructor(nodeId: string) {
      this.nodeId = nodeId
    }
    async answer(): Promise<string> {
      if (this.nodeId !== world.at) throw new Error('NOT_COORDINATOR')
      return this.nodeId
    }
  }
  class Cluster {
    async findBroker({ nodeId }: { readonly nodeId: string }): Promise<Broker> {
      const broker = world.brokers.get(nodeId)
      if (broker === undefined) throw new Error('BROKER_NOT_FOUND')
      return broker
    }
    async findGroupCoordinator(asked: object): Promise<Broker> {
      world.asked.push(asked)
      return await this.findBroker({ nodeId: world.at })
    }
  }
  const world = {
    at: '1',
    asked: [] as object[],
    brokers: new Map(['1', '2'].map((nodeId) => [nodeId, new Broker(nodeId)])),
  }
  const steps = Object.fromEntries(
    ['initProducerId', 'addPartitionsToTxn', 'addOffsetsToTxn', 'txnOffsetCommit', 'endTxn'].map(
      (name) => [
        name,
        async function step(this: Broker) {
          return await this.answer()
        },
      ],
    ),
  )
  Object.assign(Broker.prototype, steps)
  rememberCoordinators({
    broker: Broker.prototype,
    cluster: Cluster.prototype,
  } as unknown as CoordinatorClasses)
  const cluster = new Cluster()
  const find = async (coordinatorType?: number, groupId = 'id') =>
    (await cluster.findGroupCoordinator({
      groupId,
      ...(coordinatorType === undefined ? {} : { coordinatorType }),
    })) as Broker & { endTxn(): Promise<string> }
  return { world, find, Broker, Cluster }
}

describe('a coordinator', () => {
  test('is asked for once for each id and kind', async () => {
    const { world, find } = kafka()
    for (let i = 0; i < 3; i++) {
      expect((await find(TRANSACTION)).nodeId).toBe('1')
      expect((await find(GROUP)).nodeId).toBe('1')
      expect((await find(TRANSACTION, 'other')).nodeId).toBe('1')
    }
    expect(world.asked).toHaveLength(3)
  })

  test('is asked for again once a step has failed there', async () => {
    const { world, find } = kafka()
    await find(TRANSACTION)
    world.at = '2'
    const stale = await find(TRANSACTION)
    expect(stale.nodeId).toBe('1')
    await expect(stale.endTxn()).rejects.toThrow('NOT_COORDINATOR')
    expect((await find(TRANSACTION)).nodeId).toBe('2')
    await find(TRANSACTION)
    expect(world.asked).toHaveLength(2)
  })

  test('is asked for once by steps that begin at the same time', async () => {
    const { world, find } = kafka()
    const found = await Promise.all([find(TRANSACTION), find(TRANSACTION)])
    expect(found.map(({ nodeId }) => nodeId)).toEqual(['1', '1'])
    expect(world.asked).toHaveLength(1)
  })

  test('that nobody could name is asked for again', async () => {
    const { world, find } = kafka()
    world.at = '3'
    await expect(find(TRANSACTION)).rejects.toThrow('BROKER_NOT_FOUND')
    world.at = '2'
    expect((await find(TRANSACTION)).nodeId).toBe('2')
  })

  test('is not asked for again in the next transaction', async () => {
    const { world, find } = kafka()
    for (let count = 1; count <= 3; count++) {
      await find(TRANSACTION)
      await expect((await find(TRANSACTION)).endTxn()).resolves.toBe('1')
      expect(world.asked).toHaveLength(1)
    }
  })

  test.each([
    { because: 'its broker is gone', change: 'gone' as const },
    { because: 'its broker is now another', change: 'replaced' as const },
  ])('is asked for again where $because', async ({ change }) => {
    const { world, find, Broker } = kafka()
    await find(TRANSACTION)
    if (change === 'gone') {
      world.brokers.delete('1')
      world.at = '2'
    } else {
      world.brokers.set('1', new Broker('1'))
    }
    expect(await find(TRANSACTION)).toBe(world.brokers.get(world.at))
    expect(world.asked).toHaveLength(2)
  })

  test('of a consumer is asked for each time', async () => {
    const { world, find } = kafka()
    await find()
    await find()
    expect(world.asked).toHaveLength(2)
  })

  test('is known to the cluster that asked alone', async () => {
    const { world, find, Cluster } = kafka()
    await find(TRANSACTION)
    const asked = { groupId: 'id', coordinatorType: TRANSACTION }
    await new Cluster().findGroupCoordinator(asked)
    expect(world.asked).toHaveLength(2)
  })
})
