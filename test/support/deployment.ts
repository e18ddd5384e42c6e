/** A deployment for tests on real buses: topology, pools and what a service of it is started with. */
import { loadNodeClasses } from '../../src/config/node-classes.ts'
import { loadSigner } from '../../src/config/keys.ts'
import { loadKernel, packagedNodeClasses } from '../../src/commands/package.ts'
import type { Bus } from '../../src/core/bus.ts'
import type { PoolId } from '../../src/core/ids.ts'
import { partitionOf } from '../../src/core/partition.ts'
import { DEFAULT_POLICY, type Policy } from '../../src/core/policy.ts'
import type { Topology } from '../../src/core/topics.ts'
import { ROLES, type ServiceOptions } from '../../src/pipeline/service.ts'

const HOUR_MS = 3_600_000

/** Kafka's lowest on our broker: how long a dead process keeps its partitions. */
export const SESSION_TIMEOUT_MS = 3_000

/** It acts at once and is held back by no budget: every failure must give its commands. */
export const POLICY: Policy = { ...DEFAULT_POLICY, mode: 'enforce', budgetRatio: 1 }

export function topologyOf(
  prefix: string,
  clock: Topology['clock'] = 'arrival',
  partitions = 8,
): Topology {
  return {
    prefix,
    nodePartitions: partitions,
    poolPartitions: partitions,
    clock,
    retentionMs: 24 * HOUR_MS,
  }
}

/** One pool for each partition of the pool-log. */
export function poolsOf({ poolPartitions }: Topology): readonly PoolId[] {
  const pools = new Map<number, PoolId>()
  for (let i = 0; pools.size < poolPartitions; i++) {
    const pool = `pool-${i}` as PoolId
    const partition = partitionOf(pool, poolPartitions)
    if (!pools.has(partition)) pools.set(partition, pool)
  }
  return [...pools.values()]
}

/** All roles without a model. The directory holds the key, so processes that share it sign alike. */
export async function serviceOptions(
  bus: Bus,
  topology: Topology,
  stateDirectory: string,
): Promise<ServiceOptions> {
  const signer = loadSigner(stateDirectory)
  return {
    bus,
    topology,
    roles: ROLES,
    kernel: await loadKernel(),
    nodeClasses: loadNodeClasses(packagedNodeClasses()),
    models: {},
    defaultClass: 'server',
    recordBytesMax: 4_194_304,
    commitIntervalMs: 50,
    changeGapMs: 5_000,
    changeDeviations: 3,
    nodesMax: 16_384,
    policyFor: () => POLICY,
    policies: [POLICY],
    sign: (bytes) => signer.sign(bytes),
    source: '/foreshock/test',
    stateDirectory,
    host: 'local',
  }
}
