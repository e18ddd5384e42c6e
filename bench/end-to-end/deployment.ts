/** A service on a real broker with topics of its own, as the benches of the whole path start it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKafkaBus } from '../../src/bus/kafka/bus.ts'
import { packagedModel } from '../../src/commands/package.ts'
import type { Bus } from '../../src/core/bus.ts'
import { DEFAULT_POLICY, type Policy } from '../../src/core/policy.ts'
import { topicSpecs, type Topology } from '../../src/core/topics.ts'
import type { RoleEvents } from '../../src/pipeline/role.ts'
import { type Service, startService } from '../../src/pipeline/service.ts'
import { serviceOptions, topologyOf } from '../../test/support/deployment.ts'
import { uniquePrefix } from '../../test/support/kafka.ts'

export const PARTITIONS = 4

export interface BenchDeployment {
  readonly bus: Bus
  readonly topology: Topology
  readonly brokers: readonly string[]
  start(events: RoleEvents): Promise<Service>
  close(): Promise<void>
}

export async function createDeployment(
  brokers: readonly string[],
  name: string,
): Promise<BenchDeployment> {
  const prefix = uniquePrefix(name)
  const topology = topologyOf(prefix, 'arrival', PARTITIONS)
  const bus = await openKafkaBus({ brokers: [...brokers], clientId: name, prefix })
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-bench-'))
  await bus.create(topicSpecs(topology))
  let service: Service | null = null
  return {
    bus,
    topology,
    brokers,
    start: async (events) => {
      const options = await serviceOptions(bus, topology, directory)
      const policy: Policy = { ...DEFAULT_POLICY, mode: 'enforce' }
      service = await startService({
        ...options,
        models: { server: packagedModel('fleet') },
        nodesMax: 262_144,
        policyFor: () => policy,
        policies: [policy],
        telemetryFormat: 'arrow',
        host: 'thread',
        events,
      })
      return service
    },
    close: async () => {
      await service?.stop()
      await bus.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
