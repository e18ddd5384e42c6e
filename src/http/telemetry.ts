/**
 * POST /v1/telemetry: samples over HTTP, for those who cannot speak Kafka.
 *
 * They are forwarded to the public telemetry topic and judged there, by the same ingest as all
 * others; here only what can never be telemetry is refused. One node always goes to one partition,
 * because samples of one node that took two ways could overtake each other and count as late.
 */
import { tableFromIPC } from 'apache-arrow'
import { Hono } from 'hono'
import { checkFrame } from '../core/arrow-frame.ts'
import type { Output } from '../core/bus.ts'
import { partitionOf } from '../core/partition.ts'
import { partitionCount, topicName } from '../core/topics.ts'
import type { Topology } from '../core/topics.ts'
import { readBody } from './body.ts'
import { badRequest, ProblemError } from './problem.ts'

export const ARROW_TYPE = 'application/vnd.apache.arrow.stream'
export const JSON_TYPE = 'application/json'
export const LINES_TYPE = 'application/x-ndjson'

export interface TelemetryPorts {
  readonly topology: Topology
  readonly produce: (outputs: readonly Output[]) => Promise<unknown>
  readonly bodyBytesMax: number
}

interface Taken {
  readonly outputs: readonly Output[]
  readonly sampleCount: number
}

export function telemetryRoutes({ topology, produce, bodyBytesMax }: TelemetryPorts): Hono {
  const routes = new Hono()
  routes.post('/', async (c) => {
    const type = (c.req.header('content-type') ?? JSON_TYPE).split(';')[0].trim().toLowerCase()
    const bytes = await readBody(c, bodyBytesMax)
    if (bytes.length === 0) throw badRequest('the body is empty; send one sample or more')
    const { outputs, sampleCount } = read(type, bytes, topology)
    await produce(outputs)
    return c.json({ samples: sampleCount, records: outputs.length, bytes: bytes.length }, 202)
  })
  return routes
}

function read(type: string, bytes: Uint8Array, topology: Topology): Taken {
  switch (type) {
    case ARROW_TYPE:
      return readArrow(bytes, topology)
    case JSON_TYPE:
    case 'application/json-seq':
    case 'text/plain':
      return readJson(bytes, topology)
    case LINES_TYPE:
    case 'application/jsonl':
      return byNode(lines(new TextDecoder().decode(bytes)), topology)
    default:
      throw new ProblemError({
        status: 415,
        title: 'Unsupported media type',
        detail: `content-type "${type}": send ${JSON_TYPE}, ${LINES_TYPE} or ${ARROW_TYPE}`,
        code: 'INPUT_INVALID',
      })
  }
}

function readJson(bytes: Uint8Array, topology: Topology): Taken {
  const text = new TextDecoder().decode(bytes)
  const whole = parse(text)
  if (whole === undefined) return byNode(lines(text), topology)
  return byNode(Array.isArray(whole) ? whole : [whole], topology)
}

function lines(text: string): readonly unknown[] {
  const samples: unknown[] = []
  let number = 0
  for (const line of text.split('\n')) {
    number++
    if (line.trim() === '') continue
    const sample = parse(line)
    if (sample === undefined) throw badRequest(`line ${number} is not JSON`)
    samples.push(sample)
  }
  return samples
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    // The caller says where.
    return undefined
  }
}

/** One record per partition, in the order given. A sample without a node goes to partition 0, to be judged. */
function byNode(samples: readonly unknown[], topology: Topology): Taken {
  const partitions = partitionCount(topology, 'telemetry')
  const groups = new Map<number, unknown[]>()
  for (const [index, sample] of samples.entries()) {
    if (typeof sample !== 'object' || sample === null || Array.isArray(sample)) {
      throw badRequest(`sample ${index} is no JSON object with node, at and metrics`)
    }
    const node: unknown = 'node' in sample ? sample.node : undefined
    const partition = typeof node === 'string' ? partitionOf(node, partitions) : 0
    const group = groups.get(partition)
    if (group === undefined) groups.set(partition, [sample])
    else group.push(sample)
  }
  const outputs = [...groups].map(([partition, group]) =>
    record(topology, partition, JSON_TYPE, JSON.stringify(group)),
  )
  return { outputs, sampleCount: samples.length }
}

/** A record batch stays whole; its first node chooses the partition, the same for each batch of one sender. */
function readArrow(bytes: Uint8Array, topology: Topology): Taken {
  let rowCount: number
  let firstNode: unknown
  try {
    checkFrame(bytes)
    const rows = tableFromIPC(bytes)
    rowCount = rows.numRows
    firstNode = rows.getChild('node')?.get(0)
  } catch (error) {
    throw badRequest(`the body is no Arrow IPC stream: ${(error as Error).message}`)
  }
  if (rowCount === 0) throw badRequest('the Arrow stream has no rows')
  const partitions = partitionCount(topology, 'telemetry')
  const partition = typeof firstNode === 'string' ? partitionOf(firstNode, partitions) : 0
  return { outputs: [record(topology, partition, ARROW_TYPE, bytes)], sampleCount: rowCount }
}

function record(
  topology: Topology,
  partition: number,
  type: string,
  value: string | Uint8Array,
): Output {
  const headers = { 'content-type': type }
  return { topic: topicName(topology, 'telemetry'), partition, key: null, value, headers }
}
