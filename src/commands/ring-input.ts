/** The nodes of a ring: from `--node`, from a file, or from the topic `nodes` of the bus. */
import { readFileSync } from 'node:fs'
import type { Bus } from '../core/bus.ts'
import { toText } from '../core/bytes.ts'
import { ServiceError } from '../core/errors.ts'
import type { RingMember } from '../core/ring.ts'
import { topicName } from '../core/topics.ts'
import type { Topology } from '../core/topics.ts'
import { loadedConfig, openBus } from './bus.ts'
import type { Arguments, Io } from './command.ts'
import { readTopic } from './topic-records.ts'

/** From the first of `--node`, `--nodes` and the bus that is given; sorted by name. */
export async function ringMembers(args: Arguments, io: Io): Promise<readonly RingMember[]> {
  const members = await givenMembers(args, io)
  if (members.length === 0) {
    throw new ServiceError('INPUT_INVALID', 'the ring has no nodes: give --node, --nodes or a bus')
  }
  return members.toSorted((a, b) => (a.node < b.node ? -1 : 1))
}

async function givenMembers(args: Arguments, io: Io): Promise<readonly RingMember[]> {
  const listed = args.list('node')
  if (listed.length > 0) return listed.map((text) => parseMember('--node', text))
  const file = args.text('nodes')
  if (file !== undefined) return membersOfFile(file)
  const config = loadedConfig(args, io)
  const bus = await openBus(config, io)
  try {
    return await membersOfBus(bus, config.topology, args.text('pool'))
  } finally {
    await bus.close()
  }
}

/** `NODE[:WEIGHT[:ZONE]]`. A name that has colons itself needs a file. */
export function parseMember(option: string, text: string): RingMember {
  const [node, weight = '1', zone, ...rest] = text.split(':')
  if (node === '' || weight.trim() === '' || Number.isNaN(Number(weight)) || rest.length > 0) {
    throw new ServiceError('USAGE', `${option}: "${text}" is no NODE[:WEIGHT[:ZONE]]`)
  }
  return { node, weight: Number(weight), zone: zone ?? null }
}

/** JSON objects with `node`, `weight` and `zone`, as one array or one a line. */
function membersOfFile(file: string): readonly RingMember[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new ServiceError('INPUT_INVALID', `${file}: cannot be read`, { cause })
  }
  const rows = text.trimStart().startsWith('[')
    ? parseJson(file, text)
    : text.split('\n').flatMap((line, i) => {
        return line.trim() === '' ? [] : [parseJson(`${file}, line ${i + 1}`, line)]
      })
  return (rows as readonly unknown[]).map((row, i) => memberOf(`${file}, node ${i + 1}`, row))
}

function parseJson(where: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ServiceError('INPUT_INVALID', `${where}: no JSON`, { cause })
  }
}

function memberOf(where: string, row: unknown): RingMember {
  const fields = (typeof row === 'object' && row !== null ? row : {}) as Record<string, unknown>
  const { node, weight = 1, zone = null } = fields
  if (typeof node !== 'string' || typeof weight !== 'number') {
    throw new ServiceError('INPUT_INVALID', `${where}: needs "node" (text) and "weight" (a number)`)
  }
  if (zone !== null && typeof zone !== 'string') {
    throw new ServiceError('INPUT_INVALID', `${where}: "zone" is a text or null`)
  }
  return { node, weight, zone }
}

/** Who is in the compacted topic at this moment, with weight 1 each. */
async function membersOfBus(
  bus: Bus,
  topology: Topology,
  pool: string | undefined,
): Promise<readonly RingMember[]> {
  const topic = topicName(topology, 'nodes')
  const members = new Map<string, RingMember>()
  await readTopic(bus, topic, ({ key, value }) => {
    const name = key === null ? undefined : toText(key)
    if (name === undefined) return
    const row = value === null ? null : (parseJson(topic, toText(value)) as Row)
    if (row === null || (pool !== undefined && row.pool !== pool)) members.delete(name)
    else members.set(name, { node: name, weight: 1, zone: row.zone ?? null })
  })
  return [...members.values()]
}

interface Row {
  readonly pool?: string
  readonly zone?: string | null
}
