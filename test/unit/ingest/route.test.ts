import {
  Table,
  TimestampMillisecond,
  Utf8,
  tableFromIPC,
  tableToIPC,
  vectorFromArray,
} from 'apache-arrow'
import { expect, test } from 'vitest'
import type { LogRecord, Output } from '../../../src/core/bus.ts'
import { toBytes } from '../../../src/core/bytes.ts'
import { partitionOf } from '../../../src/core/partition.ts'
import type { InputTopic } from '../../../src/core/topics.ts'
import { IngestFold } from '../../../src/ingest/route.ts'
import type { IngestFoldOptions } from '../../../src/ingest/route.ts'
import { NOW_MS, nodeClasses, recordOf, topology } from './case.ts'
import { textOf } from '../../support/output.ts'

function createFold(more: Partial<IngestFoldOptions> = {}): IngestFold {
  return new IngestFold({
    topology,
    nodeClasses,
    defaultClass: 'server',
    source: 1,
    sampleAgeMsMax: Infinity,
    ...more,
  })
}

function routed(records: readonly LogRecord[], fold = createFold()): readonly Output[] {
  for (const record of records) fold.take(record, NOW_MS)
  return fold.flush()
}

function bodyOf({ value }: Output): unknown {
  return JSON.parse(textOf(value))
}

/** `node@at` of each row of a batch. */
function namesIn({ value }: Output): readonly string[] {
  return tableFromIPC(value as Uint8Array)
    .toArray()
    .map((row) => `${row.node}@${row.at}`)
}

const sample = (node: string, atMs: number, nodeClass = 'server') =>
  recordOf('telemetry', JSON.stringify({ node, class: nodeClass, at: atMs }))

test('samples become one batch per partition and class, with rows of that partition only', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  const outputs = routed([...names.map((name) => sample(name, 1)), sample('a', 2, 'drive')])
  const seen = outputs.flatMap((output) => {
    expect(output).toMatchObject({
      topic: 'test.node-log',
      key: null,
      headers: { kind: 'samples' },
    })
    const rows = namesIn(output)
    for (const row of rows) expect(partitionOf(row.split('@')[0], 4)).toBe(output.partition)
    return rows.map((row) => `${output.headers!['class']} ${row}`)
  })
  const expected = [...names.map((name) => `server ${name}@1`), 'drive a@2']
  expect(seen.toSorted()).toEqual(expected.toSorted())
  expect(new Set(outputs.map((o) => `${o.partition} ${o.headers!['class']}`)).size).toBe(
    outputs.length,
  )
})

test('an event comes after the samples read before it, and before those read after it', () => {
  const leave = recordOf('events', '{"kind":"leave","node":"a"}', { appendedAtMs: NOW_MS + 3 })
  const outputs = routed([sample('a', 1), leave, sample('a', 2)])
  expect(outputs.map((output) => output.headers!['kind'])).toEqual([
    'samples',
    'node-event',
    'samples',
  ])
  expect(outputs.map((output) => output.partition)).toEqual(Array(3).fill(partitionOf('a', 4)))
  expect(bodyOf(outputs[1])).toEqual({ kind: 'leave', node: 'a', atMs: NOW_MS + 3 })
  expect(outputs[1]).toMatchObject({ key: 'a', headers: { 'appended-at': String(NOW_MS + 3) } })
})

test('more rows than a batch holds are several batches in order', () => {
  const rows = Array.from({ length: 5_000 }, (_, at) => ({ node: 'a', at }))
  const outputs = routed([recordOf('telemetry', JSON.stringify(rows))])
  expect(outputs.map((output) => namesIn(output).length)).toEqual([4_096, 904])
  expect(namesIn(outputs[1])[0]).toBe('a@4096')
})

test('a flush hands everything over once', () => {
  const fold = createFold()
  expect(routed([sample('a', 1)], fold)).toHaveLength(1)
  expect(fold.flush()).toEqual([])
})

const arrow = tableToIPC(
  new Table({
    node: vectorFromArray(['a', 'b'], new Utf8()),
    at: vectorFromArray([1, 2], new TimestampMillisecond()),
  }),
  'stream',
)

test.each<{ headers: Readonly<Record<string, string>>; more: Partial<IngestFoldOptions> }>([
  { headers: { 'content-type': 'application/vnd.apache.arrow.stream' }, more: {} },
  { headers: {}, more: { telemetryFormat: 'arrow' as const } },
])('Arrow is read by content type or by the setting: $headers $more', ({ headers, more }) => {
  const outputs = routed([recordOf('telemetry', arrow, { headers })], createFold(more))
  expect(outputs.flatMap(namesIn).toSorted()).toEqual(['a@1', 'b@2'])
})

test('JSON by content type is read where Arrow is the setting', () => {
  const record = { ...sample('a', 1), headers: { 'content-type': 'application/json' } }
  expect(routed([record], createFold({ telemetryFormat: 'arrow' })).flatMap(namesIn)).toEqual([
    'a@1',
  ])
})

test('the class may come from a header of the record', () => {
  const record = recordOf('telemetry', '{"node":"a","at":1}', { headers: { class: 'drive' } })
  expect(routed([record])[0].headers).toEqual({ kind: 'samples', class: 'drive' })
})

test.each([
  {
    topic: 'placements' as const,
    body: { workload: 'w', node: null, pool: 'gpu' },
    kind: 'placement',
    becomes: {
      workload: 'w',
      node: null,
      pool: 'gpu',
      priority: 'NORMAL',
      needs: { cpu: 0, memoryBytes: 0, gpu: null },
      stateBytes: 0,
      dependsOn: [],
      standby: null,
    },
  },
  {
    topic: 'results' as const,
    body: { commandId: 'c', epoch: 3, pool: 'gpu', node: 'a', state: 'verified', atMs: 5 },
    kind: 'result',
    becomes: {
      commandId: 'c',
      epoch: 3,
      pool: 'gpu',
      node: 'a',
      state: 'verified',
      atMs: 5,
      detail: null,
    },
  },
  {
    topic: 'controls' as const,
    body: { kind: 'veto', pool: 'gpu', node: 'a', veto: true, by: 'ops', reason: 'repair' },
    kind: 'control',
    becomes: { kind: 'veto', pool: 'gpu', node: 'a', veto: true, by: 'ops', reason: 'repair' },
  },
])('$topic go to the partition of their pool', ({ topic, body, kind, becomes }) => {
  const outputs = routed([recordOf(topic, JSON.stringify(body))])
  expect(outputs).toHaveLength(1)
  expect(outputs[0]).toMatchObject({
    topic: 'test.pool-log',
    partition: partitionOf('gpu', 3),
    key: 'gpu',
    headers: { kind },
  })
  expect(bodyOf(outputs[0])).toEqual(becomes)
})

test('a control for every pool goes to every partition', () => {
  const body = { kind: 'stop', stopped: true, by: 'ops', reason: 'drill' }
  const outputs = routed([recordOf('controls', JSON.stringify(body))])
  expect(outputs.map((output) => output.partition)).toEqual([0, 1, 2])
  expect(outputs.map(bodyOf)).toEqual([0, 1, 2].map(() => ({ ...body, pool: null })))
})

test('a bad record becomes a dead letter with its bytes and where it was', () => {
  const fold = createFold()
  const value = toBytes('no json')
  const record = recordOf('telemetry', value, {
    key: toBytes('k'),
    headers: { 'content-type': 'text/json' },
  })
  expect(routed([record], fold)).toEqual([
    {
      topic: 'test.dead-letter',
      partition: 1,
      key: record.key,
      value,
      headers: {
        reason: 'not-json',
        detail: 'is not JSON: "no json"',
        topic: 'test.telemetry',
        partition: '1',
        offset: '7',
        at: String(NOW_MS),
        'content-type': 'text/json',
      },
    },
  ])
  expect([...fold.deadLetters()]).toEqual([['not-json', 1]])
})

test('a record with bad rows is one dead letter, and its good rows go on', () => {
  const fold = createFold()
  const rows = [{ node: '', at: 1 }, { node: 'a', at: 1 }, { node: 'b' }]
  const outputs = routed([recordOf('telemetry', JSON.stringify(rows))], fold)
  expect(outputs[0].headers).toMatchObject({
    reason: 'node-invalid',
    detail: 'row 1: `node` is empty; expected the name of the node (and 1 more in this record)',
  })
  expect(outputs.slice(1).flatMap(namesIn)).toEqual(['a@1'])
  expect(Object.fromEntries(fold.counts())).toMatchObject({ records: 1, samples: 1, refused: 2 })
})

test('a message of 10 MB is refused unread, and only its beginning is kept', () => {
  const value = new Uint8Array(10_000_000)
  const [letter] = routed([recordOf('telemetry', value)])
  expect(letter.value).toHaveLength(65_536)
  expect(letter.headers).toMatchObject({
    reason: 'too-large',
    detail:
      'the record has 10000000 bytes, more than the 4194304 of ingest.record_bytes_max; send smaller ones',
    'truncated-from': '10000000',
  })
})

test('a sample older than a month is history, and refused where time is the log’s', () => {
  const day = 86_400_000
  const records = [sample('a', NOW_MS - 29 * day), sample('b', NOW_MS - 31 * day)]
  const limit = { sampleAgeMsMax: 30 * day }
  const outputs = routed(records, createFold(limit))
  expect(outputs.filter(({ topic }) => topic.endsWith('node-log')).flatMap(namesIn)).toEqual([
    `a@${NOW_MS - 29 * day}`,
  ])
  const letter = outputs.find(({ topic }) => topic.endsWith('dead-letter'))
  expect(letter?.headers).toMatchObject({
    reason: 'too-old',
    detail:
      '`at` is 31 days old, more than the 30 allowed; check that the unit is ms, and send history through foreshock replay',
  })
  const driven = createFold({ ...limit, topology: { ...topology, clock: 'driven' } })
  expect(routed(records, driven).filter(({ topic }) => topic.endsWith('dead-letter'))).toEqual([])
})

test('under a driven clock a sample may be ahead of the step that moves time to it', () => {
  const driven = { ...topology, clock: 'driven' as const }
  const record = sample('a', NOW_MS + 7 * 86_400_000)
  expect(routed([record], createFold({ topology: driven })).flatMap(namesIn)).toHaveLength(1)
  expect(routed([record])[0].headers).toMatchObject({ reason: 'in-the-future' })
})

test('a tombstone in a compacted topic is no bad record', () => {
  const fold = createFold()
  expect(routed([recordOf('placements', null)], fold)).toEqual([])
  expect(fold.counts().get('tombstones')).toBe(1)
})

const NEED = 'expected 1 to 256 bytes without control characters'
test.each<{ topic: InputTopic; body: unknown; reason: string; detail: string }>([
  {
    topic: 'events',
    body: [],
    reason: 'not-an-object',
    detail: 'expected a JSON object, found a list',
  },
  {
    topic: 'events',
    body: { kind: 'party', node: 'a' },
    reason: 'kind-unknown',
    detail:
      '`kind` is "party"; expected one of join, leave, failure, labels, heartbeat, error, maintenance',
  },
  {
    topic: 'events',
    body: { kind: 'leave' },
    reason: 'node-missing',
    detail: '`node` is missing; expected the name of the node',
  },
  {
    topic: 'events',
    body: { kind: 'failure', node: 'a' },
    reason: 'at-missing',
    detail: '`at` is missing; expected ms since 1970 or an RFC 3339 time',
  },
  {
    topic: 'events',
    body: { kind: 'join', node: 'a', class: 'toaster' },
    reason: 'class-unknown',
    detail: '`class` is "toaster"; known are: server, drive',
  },
  {
    topic: 'events',
    body: { kind: 'join', node: 'a', capacity: { cpu: '8' } },
    reason: 'field-invalid',
    detail: '`capacity.cpu`: Invalid input: expected number, received string',
  },
  {
    topic: 'placements',
    body: { node: 'a' },
    reason: 'field-invalid',
    detail: '`workload`: Invalid input: expected string, received undefined',
  },
  {
    topic: 'placements',
    body: { workload: 'w', node: 'a', standby: 'a' },
    reason: 'field-invalid',
    detail: '`standby`: is the node where the workload runs; name another, or null',
  },
  {
    topic: 'placements',
    body: { workload: '', node: 'a' },
    reason: 'field-invalid',
    detail: `\`workload\`: ${NEED}`,
  },
  {
    topic: 'results',
    body: { commandId: 'c', epoch: 1, pool: 'p', node: 'a', state: 'done', at: 1 },
    reason: 'field-invalid',
    detail:
      '`state`: Invalid option: expected one of "accepted"|"rejected"|"started"|"progress"|"succeeded"|"failed"|"verified"',
  },
  {
    topic: 'results',
    body: { commandId: 'c', epoch: 1, pool: 'p', node: 'a', state: 'failed' },
    reason: 'field-invalid',
    detail: '`atMs`: expected ms since 1970 or an RFC 3339 time',
  },
  {
    topic: 'controls',
    body: { kind: 'mode', mode: 'enforce', by: 'ops', reason: ' ' },
    reason: 'field-invalid',
    detail: '`reason`: expected who and why: it is written to the journal',
  },
  {
    topic: 'controls',
    body: { kind: 'panic' },
    reason: 'kind-unknown',
    detail:
      '`kind` is "panic"; expected one of mode, stop, emergency, veto, approval, model, maintenance, silence, acknowledge, config',
  },
  {
    topic: 'votes',
    body: {},
    reason: 'field-invalid',
    detail: '`ballot`: expected the id of an open ballot',
  },
])('$topic: refused as $reason: $detail', ({ topic, body, reason, detail }) => {
  const [letter] = routed([recordOf(topic, JSON.stringify(body))])
  expect(letter).toMatchObject({ topic: 'test.dead-letter', headers: { reason, detail } })
})
