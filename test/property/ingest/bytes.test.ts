import { fc, test } from '@fast-check/vitest'
import {
  Dictionary,
  Float64,
  Int32,
  Table,
  TimestampMillisecond,
  Utf8,
  tableFromIPC,
  tableToIPC,
  vectorFromArray,
} from 'apache-arrow'
import { expect } from 'vitest'
import { toBytes } from '../../../src/core/bytes.ts'
import { INPUT_TOPICS } from '../../../src/core/topics.ts'
import { IngestFold } from '../../../src/ingest/route.ts'
import { SampleBuilder } from '../../../src/ingest/samples.ts'
import { NOW_MS, nodeClasses, recordOf, server, topology } from '../../unit/ingest/case.ts'
import { textOf } from '../../support/output.ts'

const topics = fc.constantFrom(...INPUT_TOPICS.filter((topic) => topic !== 'clock'))
const arrowType = 'application/vnd.apache.arrow.stream'
const headers = fc.constantFrom(
  {},
  { 'content-type': arrowType },
  { ce_type: 'foreshock.event.join' },
)

/** Text that gets past the first checks: the fields there are, with values of any kind. */
const fields = fc.dictionary(
  fc.constantFrom('node', 'at', 'class', 'metrics', 'kind', 'pool', 'workload', 'labels', 'state'),
  fc.oneof(fc.jsonValue(), fc.constantFrom('n1', 'server', 'join', 'failure', 'mode', NOW_MS, 1)),
)
const values = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.json().map(toBytes),
  fields.map((body) => toBytes(JSON.stringify(body))),
  fc.array(fields, { maxLength: 5 }).map((bodies) => toBytes(JSON.stringify(bodies))),
)

/** One record: either something of it goes on, or it is one dead letter that says why. */
function take(value: Uint8Array, topic: (typeof INPUT_TOPICS)[number], header: object): void {
  const fold = new IngestFold({
    topology,
    nodeClasses,
    defaultClass: 'server',
    source: 1,
    sampleAgeMsMax: Infinity,
  })
  const record = recordOf(topic, value, { headers: header as Record<string, string> })
  fold.take(record, NOW_MS)
  const letters = fold.flush().filter((output) => output.topic === 'test.dead-letter')
  const letterCount = [...fold.deadLetters().values()].reduce((sum, count) => sum + count, 0)
  expect(letters.length).toBe(letterCount)
  expect(letters.length).toBeLessThanOrEqual(1)
  for (const letter of letters) expect(letter.value).toBe(record.value)
}

test.prop([values, topics, headers])('no bytes in any topic make ingest throw', take)

const table = new Table({
  node: vectorFromArray(['n1', 'n2', null], new Dictionary(new Utf8(), new Int32())),
  at: vectorFromArray([1, 2, 3], new TimestampMillisecond()),
  cpu_temperature: vectorFromArray([1, null, 3], new Float64()),
})

// Goal: no damage makes ingest throw, hang or fill the memory, as the Arrow library alone does here.
// Method: a few bytes of a sound record are changed, and it is cut off; most damage is still read.
const damages = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
  minLength: 1,
  maxLength: 8,
})
const formats = fc.constantFrom<('stream' | 'file')[]>('stream', 'file')

test.prop([formats, damages, fc.nat()], { numRuns: 1_000 })(
  'no damage to an Arrow record makes ingest throw',
  (format, changes, length) => {
    const bytes = tableToIPC(table, format).slice()
    for (const [at, byte] of changes) bytes[at % bytes.length] = byte
    take(bytes, 'telemetry', { 'content-type': arrowType })
    take(bytes.slice(0, length % bytes.length), 'telemetry', { 'content-type': arrowType })
  },
)

const metric = fc.oneof(fc.double({ noNaN: true }), fc.constant(null))
const rows = fc.array(
  fc.record({
    node: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
    at: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    appended_at: fc.nat({ max: 4_102_444_800_000 }),
    cpu_temperature: metric,
    error_rate: metric,
  }),
  { minLength: 1, maxLength: 200 },
)

test.prop([rows])('what a SampleBuilder is given comes back from Arrow', (given) => {
  const builder = new SampleBuilder(server)
  for (const row of given) {
    const name = toBytes(row.node)
    builder.append(name, 0, name.length, row.at, row.appended_at)
    builder.set(0, row.cpu_temperature ?? NaN)
    builder.set(1, row.error_rate ?? NaN)
  }
  const built = tableFromIPC(builder.build())
  expect(built.toArray().map((row) => row.toJSON())).toEqual(given)
})

const streams = fc.array(
  fc.record({
    node: fc.constantFrom('a', 'b', 'c'),
    kind: fc.constantFrom('sample', 'sample', 'heartbeat'),
    flush: fc.boolean(),
  }),
  { maxLength: 60 },
)

test.prop([streams])('per node the order that was read is the order that is written', (steps) => {
  const fold = new IngestFold({
    topology,
    nodeClasses,
    defaultClass: 'server',
    source: 1,
    sampleAgeMsMax: Infinity,
  })
  const [given, seen] = [new Map<string, number[]>(), new Map<string, number[]>()]
  const note = (to: Map<string, number[]>, node: string, at: number) =>
    to.set(node, [...(to.get(node) ?? []), at])
  const drain = () => {
    for (const { headers: marks, value } of fold.flush()) {
      if (marks?.['kind'] === 'samples') {
        for (const row of tableFromIPC(value as Uint8Array)) note(seen, row.node, Number(row.at))
      } else {
        const event = JSON.parse(textOf(value)) as {
          node: string
          atMs: number
        }
        note(seen, event.node, event.atMs)
      }
    }
  }
  for (const [at, { node, kind, flush }] of steps.entries()) {
    const topic = kind === 'sample' ? 'telemetry' : 'events'
    fold.take(recordOf(topic, JSON.stringify({ kind, node, at })), NOW_MS)
    note(given, node, at)
    if (flush) drain()
  }
  drain()
  expect(seen).toEqual(given)
})
