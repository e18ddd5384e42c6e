/** A service on a real broker with topics of its own, as the benches of the whole path start it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKafkaBus } from '../../src/bus/kafka/bus.ts'
import { deleteTopics } from '../../src/bus/kafka/delete-topics.ts'
import { packagedModel, packagedNodeClasses } from '../../src/commands/package.ts'
import { loadNodeClasses } from '../../src/config/node-classes.ts'
import type { Bus } from '../../src/core/bus.ts'
import { assert } from '../../src/core/errors.ts'
import type { NodeClass } from '../../src/core/node.ts'
import { DEFAULT_POLICY, type Policy } from '../../src/core/policy.ts'
import { topicSpecs, type Topology } from '../../src/core/topics.ts'
import type { RoleEvents } from '../../src/pipeline/role.ts'
import { type Service, type ServiceOptions, startService } from '../../src/pipeline/service.ts'
import { serviceOptions, topologyOf } from '../../test/support/deployment.ts'
import { uniquePrefix } from '../../test/support/kafka.ts'

export const PARTITIONS = 4
const ENFORCES: Policy = { ...DEFAULT_POLICY, mode: 'enforce' }

export interface BenchDeployment {
  readonly bus: Bus
  readonly topology: Topology
  readonly brokers: readonly string[]
  readonly nodeClass: NodeClass
  /** With all roles, the packaged model of the fleet, and a policy that enforces, unless told otherwise. */
  start(
    events: RoleEvents,
    more?: { readonly policy?: Policy; readonly model?: string },
  ): Promise<Started>
  /** Topics under the same prefix that the service does not see; they go with the deployment. */
  createBeside(suffix: string): Promise<Topology>
  close(): Promise<void>
}

export interface Started {
  readonly service: Service
  readonly options: ServiceOptions
}

export async function createDeployment(
  brokers: readonly string[],
  name: string,
  partitions = PARTITIONS,
): Promise<BenchDeployment> {
  const prefix = uniquePrefix(name)
  const topology = topologyOf(prefix, 'arrival', partitions)
  const bus = await openKafkaBus({ brokers: [...brokers], clientId: name, prefix })
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-bench-'))
  await bus.create(topicSpecs(topology))
  const topologies = [topology]
  const services: Service[] = []
  return {
    bus,
    topology,
    brokers,
    nodeClass: serverClass(),
    start: async (events, { policy = ENFORCES, model = packagedModel('fleet') } = {}) => {
      const options: ServiceOptions = {
        ...(await serviceOptions(bus, topology, directory)),
        models: { server: model },
        nodesMax: 262_144,
        policyFor: () => policy,
        policies: [policy],
        telemetryFormat: 'arrow',
        host: 'thread',
        events,
      }
      const service = await startService(options)
      services.push(service)
      return { service, options }
    },
    createBeside: async (suffix) => {
      const beside = { ...topology, prefix: `${prefix}${suffix}.` }
      await bus.create(topicSpecs(beside))
      topologies.push(beside)
      return beside
    },
    close: async () => {
      for (const service of services) await service.stop()
      await bus.close()
      rmSync(directory, { recursive: true, force: true })
      // A backlog is hundreds of megabytes, which nobody needs after its drain.
      const topics = topologies.flatMap((each) => topicSpecs(each).map(({ name: topic }) => topic))
      await deleteTopics({ brokers: [...brokers], clientId: name, prefix }, topics)
    },
  }
}

export function serverClass(): NodeClass {
  const found = loadNodeClasses(packagedNodeClasses()).get('server')
  assert(found !== undefined, 'the class of servers is packaged')
  return found
}
