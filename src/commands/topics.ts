/** `foreshock topics create|check|grant|copy`: topics are made on purpose, never by a first write. */
import type { Bus, TopicDescription, TopicSpec } from '../core/bus.ts'
import { ServiceError } from '../core/errors.ts'
import { topicSpecs } from '../core/topics.ts'
import type { Topology } from '../core/topics.ts'
import { kafkaOptions, loadedConfig, openBus } from './bus.ts'
import { CONFIG_OPTIONS } from './command.ts'
import type { Arguments, Command, Io } from './command.ts'
import { printJson, table } from './output.ts'
import { runTopicsCopy } from './topics-copy.ts'

export interface TopicFinding {
  readonly topic: string
  readonly problem: 'missing' | 'partitions' | 'clean-up' | 'append-time'
  readonly found: string
  readonly expected: string
  readonly mend: string
}

/** What is wrong with the topics of a deployment; empty when all is well. */
export async function runTopicsCheck(
  bus: Bus,
  topology: Topology,
): Promise<readonly TopicFinding[]> {
  const specs = topicSpecs(topology)
  const found = await bus.describe(specs.map(({ name }) => name))
  return specs.flatMap((spec) => findings(spec, found.get(spec.name)))
}

/** Creates what is missing; what exists is left alone, also where it is wrong. */
export async function runTopicsCreate(
  bus: Bus,
  topology: Topology,
): Promise<{ readonly created: readonly string[] }> {
  const specs = topicSpecs(topology)
  const found = await bus.describe(specs.map(({ name }) => name))
  const missing = specs.filter(({ name }) => !found.has(name))
  if (missing.length > 0) await bus.create(missing)
  return { created: missing.map(({ name }) => name) }
}

function findings(spec: TopicSpec, found: TopicDescription | undefined): TopicFinding[] {
  const topic = spec.name
  if (found === undefined) {
    return [
      {
        topic,
        problem: 'missing',
        found: 'no such topic',
        expected: `${spec.partitions} partitions`,
        mend: 'run foreshock topics create',
      },
    ]
  }
  const list: TopicFinding[] = []
  if (found.partitions !== spec.partitions) {
    list.push({
      topic,
      problem: 'partitions',
      found: `${found.partitions} partitions`,
      expected: `${spec.partitions} partitions`,
      mend: 'set topology.node_partitions or pool_partitions to what exists, or use another topology.prefix',
    })
  }
  if (found.cleanup !== spec.cleanup) {
    list.push({
      topic,
      problem: 'clean-up',
      found: `cleanup.policy=${found.cleanup}`,
      expected: `cleanup.policy=${spec.cleanup}`,
      mend: `set cleanup.policy=${spec.cleanup} on the topic`,
    })
  }
  if (!found.logAppendTime) {
    list.push({
      topic,
      problem: 'append-time',
      found: "producers' time stamps",
      expected: 'LogAppendTime',
      mend: 'set message.timestamp.type=LogAppendTime on the topic',
    })
  }
  return list
}

export const command: Command = {
  name: 'topics',
  summary: 'create or check the topics of a deployment, or grant users their roles on them',
  operands: 'create | check | grant ROLE=USER ... | copy --from PREFIX',
  options: {
    ...CONFIG_OPTIONS,
    from: {
      kind: 'text',
      value: 'PREFIX',
      summary: 'copy: the deployment, drained and stopped, that nodes and placements come from',
    },
  },
  async run(args, io) {
    const [operation, ...rest] = args.operands
    if (operation === 'grant') return await grant(rest, args, io)
    if (operation === 'copy') return await copy(args, io)
    if ((operation !== 'create' && operation !== 'check') || rest.length > 0) {
      throw new ServiceError(
        'USAGE',
        'topics: say create, check, grant or copy (foreshock topics --help)',
      )
    }
    const config = loadedConfig(args, io)
    const bus = await openBus(config, io)
    try {
      const json = args.flag('json')
      if (operation === 'create') await create(bus, config.topology, json, io)
      const found = await runTopicsCheck(bus, config.topology)
      report(found, operation, json, io)
      return found.length === 0 ? 0 : 1
    } finally {
      await bus.close()
    }
  },
}

/** One user may have several roles: each is granted in turn, and what a user has stays. */
async function grant(words: readonly string[], args: Arguments, io: Io): Promise<0> {
  const { ACCESS_ROLES, grantAccess } = await import('../bus/kafka/access.ts')
  const users = words.map((word) => {
    const [name, user = ''] = word.split('=', 2)
    const role = ACCESS_ROLES.find((known) => known === name)
    if (role !== undefined && user !== '') return { role, user }
    const roles = ACCESS_ROLES.join(', ')
    throw new ServiceError('USAGE', `topics grant: "${word}" is no ROLE=USER; roles: ${roles}`)
  })
  if (users.length === 0) {
    throw new ServiceError('USAGE', 'topics grant: name at least one ROLE=USER')
  }
  const config = loadedConfig(args, io)
  if (config.bus.kind !== 'kafka') {
    throw new ServiceError('USAGE', 'topics grant: only Kafka knows users; set bus.kind to kafka')
  }
  for (const { role, user } of users) {
    await grantAccess(kafkaOptions(config), config.topology, { [role]: user })
  }
  if (args.flag('json')) printJson(io, { operation: 'grant', users })
  else for (const { role, user } of users) io.stdout(`${user} may do the work of ${role}\n`)
  return 0
}

async function copy(args: Arguments, io: Io): Promise<0> {
  const from = args.text('from')
  const config = loadedConfig(args, io)
  if (from === undefined || from === config.topology.prefix) {
    throw new ServiceError('USAGE', 'topics copy: name another deployment with --from PREFIX')
  }
  const bus = await openBus(config, io)
  try {
    const copied = await runTopicsCopy(bus, from, config.topology)
    if (args.flag('json')) printJson(io, { operation: 'copy', ...copied })
    else io.stdout(`${copied.nodes} nodes and ${copied.placements} placements copied\n`)
  } finally {
    await bus.close()
  }
  return 0
}

async function create(bus: Bus, topology: Topology, json: boolean, io: Io): Promise<void> {
  const { created } = await runTopicsCreate(bus, topology)
  if (!json) io.stdout(`${created.length} topics created\n`)
}

function report(
  found: readonly TopicFinding[],
  operation: 'create' | 'check',
  json: boolean,
  io: Io,
): void {
  if (json) {
    printJson(io, { operation, ok: found.length === 0, findings: found })
    return
  }
  if (found.length === 0) {
    io.stdout('all topics are as they must be\n')
    return
  }
  const titles = ['topic', 'found', 'expected', 'mend'].map((title) => ({ title }))
  io.stdout(
    table(
      titles,
      found.map((row) => [row.topic, row.found, row.expected, row.mend]),
    ),
  )
}
