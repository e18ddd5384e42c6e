/**
 * Remembers who coordinates a transaction. kafkajs asks the cluster before each of the four steps of a
 * commit that go to a coordinator, which is four round trips of nine. Here it asks once, and again after
 * any such step has failed there. A coordinator that has moved is met by the first step of a commit,
 * which kafkajs tries again before it has sent anything.
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
  /** Shared by those who ask at the same time. */
  readonly found: Promise<Broker>
  /** How many steps had failed there when it was found; null until then. */
  failureCount: number | null
}

/** To be called once for each pair of classes. */
export function rememberCoordinators({ broker, cluster }: CoordinatorClasses): void {
  const failureCounts = new WeakMap<Broker, number>()
  const failureCount = (of: Broker): number => failureCounts.get(of) ?? 0
  for (const name of STEPS) {
    const step = broker[name]
    broker[name] = async function countingFailures(...args) {
      try {
        return await step.apply(this, [...args])
      } catch (error) {
        failureCounts.set(this, failureCount(this) + 1)
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
    if (last !== undefined) {
      const broker = await last.found
      if (failureCount(broker) === last.failureCount) {
        // It connects anew where the connection was lost.
        const still = await this.findBroker({ nodeId: broker.nodeId }).catch(() => undefined)
        if (still === broker) return broker
      }
      if (ofCluster.get(name) === last) ofCluster.delete(name)
    }
    const asking = ofCluster.get(name)
    if (asking !== undefined) return await asking.found
    const now: Known = { found: find.call(this, asked), failureCount: null }
    ofCluster.set(name, now)
    try {
      const found = await now.found
      now.failureCount = failureCount(found)
      return found
    } catch (error) {
      if (ofCluster.get(name) === now) ofCluster.delete(name)
      throw error
    }
  }
}
