/**
 * Who may do what on a secured cluster. Each role gets what its work asks for and nothing more, so a
 * password that leaks from a node's agent sends no commands, and one of the console no predictions.
 */
import type { AclEntry, AclOperationTypes, AclResourceTypes } from 'kafkajs'

import { INPUT_TOPICS, topicName, type TopicName, topicSpecs } from '../../core/topics.ts'
import type { Topology } from '../../core/topics.ts'
import type { KafkaBusOptions } from './client.ts'
import { kafkaClient } from './client.ts'
import { kafkajs } from './library.ts'

export const ACCESS_ROLES = [
  'ingest',
  'watcher',
  'coordinator',
  'console',
  'pager',
  'recorder',
  'agent',
] as const
export type AccessRole = (typeof ACCESS_ROLES)[number]

interface Access {
  readonly reads: readonly TopicName[]
  readonly writes: readonly TopicName[]
  /** It shares partitions through a group and commits in transactions, both named after the role. */
  readonly shares: boolean
}

const COMMANDS = ['commands.migration', 'commands.recovery'] as const

const ACCESS: Readonly<Record<AccessRole, Access>> = {
  ingest: {
    reads: INPUT_TOPICS,
    writes: ['node-log', 'pool-log', 'dead-letter'],
    shares: true,
  },
  watcher: {
    reads: ['node-log'],
    writes: ['node-log', 'pool-log', 'predictions', 'predictions.batches'],
    shares: true,
  },
  coordinator: {
    reads: ['pool-log', 'stop'],
    writes: [
      'pool-log',
      'node-log',
      ...COMMANDS,
      'alerts',
      'journal',
      'nodes',
      'assignments',
      'paths',
      'models',
      'resync',
      'dead-letter',
      'clock',
    ],
    shares: true,
  },
  console: {
    reads: [
      'predictions',
      ...COMMANDS,
      'alerts',
      'journal',
      'nodes',
      'assignments',
      'models',
      'dead-letter',
      'results',
    ],
    writes: ['telemetry', 'controls', 'stop'],
    shares: false,
  },
  /** Whoever sends pages, where `[alerts]` names a receiver. */
  pager: { reads: ['alerts', 'journal'], writes: ['journal'], shares: true },
  /** `foreshock record` and `foreshock retrain`. */
  recorder: {
    reads: ['node-log', 'predictions.batches', 'models'],
    writes: ['controls'],
    shares: false,
  },
  agent: {
    reads: [...COMMANDS, 'journal', 'resync', 'paths'],
    writes: ['telemetry', 'events', 'results', 'placements', 'evidence', 'votes'],
    shares: false,
  },
}

/** Gives users what their roles need, by an administrator; what they have already stays. */
export async function grantAccess(
  options: KafkaBusOptions,
  topology: Topology,
  users: Readonly<Partial<Record<AccessRole, string>>>,
): Promise<number> {
  const acl = ACCESS_ROLES.flatMap((role) => {
    const user = users[role]
    return user === undefined ? [] : entries(role, topology, `User:${user}`)
  })
  const admin = kafkaClient(options, { retry: { retries: 5 } }).admin()
  await admin.connect()
  try {
    await admin.createAcls({ acl })
  } finally {
    await admin.disconnect()
  }
  return acl.length
}

function entries(role: AccessRole, topology: Topology, principal: string): readonly AclEntry[] {
  const { AclOperationTypes: may, AclResourceTypes: on, ResourcePatternTypes: named } = kafkajs
  const entry = (
    resourceType: AclResourceTypes,
    resourceName: string,
    operation: AclOperationTypes,
    resourcePatternType = named.LITERAL,
  ): AclEntry => ({
    resourceType,
    resourceName,
    resourcePatternType,
    operation,
    principal,
    host: '*',
    permissionType: kafkajs.AclPermissionTypes.ALLOW,
  })
  const { reads, writes, shares } = ACCESS[role]
  const own = topology.prefix + role
  return [
    // Each checks at its start that the topics are as they must be.
    ...topicSpecs(topology).flatMap(({ name }) => [
      entry(on.TOPIC, name, may.DESCRIBE),
      entry(on.TOPIC, name, may.DESCRIBE_CONFIGS),
    ]),
    ...reads.map((name) => entry(on.TOPIC, topicName(topology, name), may.READ)),
    ...writes.map((name) => entry(on.TOPIC, topicName(topology, name), may.WRITE)),
    entry(on.GROUP, `${topology.prefix}reader-`, may.READ, named.PREFIXED),
    ...(shares
      ? [
          entry(on.GROUP, own, may.READ),
          entry(on.TRANSACTIONAL_ID, `${own}-`, may.WRITE, named.PREFIXED),
          entry(on.TRANSACTIONAL_ID, `${own}-`, may.DESCRIBE, named.PREFIXED),
        ]
      : []),
  ]
}
