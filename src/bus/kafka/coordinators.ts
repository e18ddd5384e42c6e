/**
 * Remembers who coordinates a transaction. kafkajs asks the cluster before each of the four steps of a
 * commit that go to a coordinator, which is four round trips of nine. Here it asks as a commit begins,
 * and again after any such step has failed at that broker: with a name older than the commit, its last
 * step could reach a coordinator that has moved, and the outcome would be unknown.
 */

/** Names a coordinator, as kafkajs's producers ask for one. Its consumers leave the type out. */
interface Asked {
  readonly groupId: string
  readonly coordinatorType?: number
}
interface Broker {
  readonly nodeId: string
}
type Step = (this: Broker, ...args: readonly unknown[]) => Promise<unknown>
interface Cluster {
  findBroker(of: { readonly nodeId: string }): Promise<Broker>
}
type Find = (this: Cluster, asked: Asked) => Promise<Broker>

/** What mending takes: the prototypes of kafkajs's classes. */
export interface CoordinatorClasses {
  readonly broker: Record<(typeof STEPS)[number], Step>
  readonly cluster: { findGroupCoordinator: Find }
}

const STEPS = [
  'initProducerId',
  'addPartitionsToTxn',
  'addOffsetsToTxn',
  'txnOffsetCommit',
  'endTxn',
] as const

interface Known {
  readonly broker: Broker
  /** How many transactions had ended and how many steps had failed there when it was found. */
  readonly endCount: number
}

/** To be called once for each pair of classes. */
export function rememberCoordinators({ broker, cluster }: CoordinatorClasses): void {
  const endCounts = new WeakMap<Broker, number>()
  const endCount = (of: Broker): number => endCounts.get(of) ?? 0
  for (const name of STEPS) {
    const step = broker[name]
    broker[name] = async function countingEnds(...args) {
      try {
        const answer = await step.apply(this, [...args])
        if (name === 'endTxn') endCounts.set(this, endCount(this) + 1)
        return answer
      } catch (error) {
        endCounts.set(this, endCount(this) + 1)
        throw error
      }
    }
  }
  const known = new WeakMap<Cluster, Map<string, Known>>()
  const find = cluster.findGroupCoordinator
  cluster.findGroupCoordinator = async function findOnce(asked) {
    const { groupId, coordinatorType } = asked
    if (coordinatorType === undefined) return await find.call(this, asked)
    let ofCluster = known.get(this)
    if (ofCluster === undefined) known.set(this, (ofCluster = new Map()))
    const name = `${coordinatorType}/${groupId}`
    const last = ofCluster.get(name)
    if (last !== undefined && endCount(last.broker) === last.endCount) {
      const { nodeId } = last.broker
      // It connects anew where the connection was lost.
      const still = await this.findBroker({ nodeId }).catch(() => undefined)
      if (still === last.broker) return still
    }
    ofCluster.delete(name)
    const found = await find.call(this, asked)
    ofCluster.set(name, { broker: found, endCount: endCount(found) })
    return found
  }
}
