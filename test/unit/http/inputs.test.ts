import { tableFromArrays, tableToIPC } from 'apache-arrow'
import { expect, test } from 'vitest'
import { partitionOf } from '../../../src/core/partition.ts'
import { createConsole, TOPOLOGY } from '../../support/console.ts'
import { textOf } from '../../support/output.ts'

async function post(path: string, body: BodyInit, type?: string) {
  const console = createConsole()
  const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type }
  const answer = await console.app.request(path, { method: 'POST', body, headers })
  return { status: answer.status, body: (await answer.json()) as object, ...console }
}

const sample = (node: string): string => `{"node":"${node}","at":1,"metrics":{"x":1}}`

test.each([
  { body: sample('n1'), type: 'application/json', count: 1, because: 'an object' },
  { body: `[${sample('n1')},${sample('n1')}]`, type: undefined, count: 2, because: 'an array' },
  {
    body: `${sample('n1')}\n\n${sample('n1')}\n`,
    type: 'application/x-ndjson',
    count: 2,
    because: 'lines',
  },
  {
    body: `${sample('n1')}\n${sample('n1')}`,
    type: 'application/json; charset=utf-8',
    count: 2,
    because: 'lines that call themselves JSON',
  },
])('telemetry is taken as $because', async ({ body, type, count }) => {
  const { status, body: answer, produced } = await post('/v1/telemetry', body, type)
  expect(status).toBe(202)
  expect(answer).toEqual({ samples: count, records: 1, bytes: body.length })
  expect(produced).toHaveLength(1)
  expect(produced[0]).toMatchObject({ topic: 'test.telemetry', key: null })
  expect(JSON.parse(textOf(produced[0].value))).toHaveLength(count)
})

test('samples of one node always take the same partition, in order', async () => {
  const nodes = Array.from({ length: 20 }, (_, i) => `n${i % 10}`)
  const body = `[${nodes.map((node, at) => `{"node":"${node}","at":${at}}`).join(',')}]`
  const { produced } = await post('/v1/telemetry', body)
  for (const output of produced) {
    const samples = JSON.parse(textOf(output.value)) as { node: string; at: number }[]
    for (const { node } of samples) {
      expect(partitionOf(node, TOPOLOGY.nodePartitions)).toBe(output.partition)
    }
    const times = samples.map(({ at }) => at)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  }
  expect(produced.length).toBeGreaterThan(1)
})

test('an Arrow stream is forwarded byte for byte', async () => {
  const bytes = tableToIPC(tableFromArrays({ node: ['n1', 'n2'], x: Float64Array.of(1, 2) }))
  const type = 'application/vnd.apache.arrow.stream'
  const { app, produced } = createConsole({ bodyBytesMax: 100_000 })
  const answer = await app.request('/v1/telemetry', {
    method: 'POST',
    body: Buffer.from(bytes),
    headers: { 'content-type': type },
  })
  expect(answer.status).toBe(202)
  expect(await answer.json()).toMatchObject({ samples: 2, records: 1 })
  expect(produced[0].headers).toEqual({ 'content-type': type })
  expect(Buffer.compare(Buffer.from(produced[0].value as Uint8Array), Buffer.from(bytes))).toBe(0)
})

test.each([
  { body: '', type: undefined, status: 400, detail: 'the body is empty' },
  { body: '{"node":\n', type: undefined, status: 400, detail: 'line 1 is not JSON' },
  { body: '{}\n{', type: 'application/x-ndjson', status: 400, detail: 'line 2 is not JSON' },
  { body: '[1]', type: undefined, status: 400, detail: 'sample 0 is no JSON object' },
  { body: 'x', type: 'image/png', status: 415, detail: 'content-type "image/png": send' },
  {
    body: 'no arrow',
    type: 'application/vnd.apache.arrow.stream',
    status: 400,
    detail: 'Arrow',
  },
  { body: `"${'x'.repeat(2_000)}"`, type: undefined, status: 413, detail: 'at most 1000 bytes' },
])('telemetry "$body" ($type) is refused with $status', async ({ body, type, status, detail }) => {
  const answer = await post('/v1/telemetry', body, type)
  expect(answer.status).toBe(status)
  expect((answer.body as { detail: string }).detail).toContain(detail)
  expect(answer.produced).toEqual([])
})

test('a body without an announced length is still held to the limit', async () => {
  const { app, produced } = createConsole()
  let sent = 0
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      sent += 500
      controller.enqueue(new Uint8Array(500))
    },
  })
  const request = new Request('http://localhost/v1/telemetry', {
    method: 'POST',
    body: endless,
    duplex: 'half',
  } as RequestInit)
  expect((await app.request(request)).status).toBe(413)
  expect(sent).toBeLessThan(5_000)
  expect(produced).toEqual([])
})

test('a mode for one pool goes to the controls topic with its reason', async () => {
  const body = { kind: 'mode', pool: 'gpu', mode: 'enforce', by: 'ops', reason: 'drill is over' }
  const { status, produced } = await post('/v1/controls', JSON.stringify(body))
  expect(status).toBe(202)
  expect(produced).toHaveLength(1)
  expect(produced[0]).toMatchObject({ topic: 'test.controls', partition: 0, key: 'gpu' })
  expect(JSON.parse(textOf(produced[0].value))).toEqual(body)
})

test('a stop of every pool is also put on the stop topic, and lifting it takes it away', async () => {
  const stop = await post('/v1/controls', '{"kind":"stop","stopped":true,"reason":"smoke"}')
  expect(stop.produced[1]).toMatchObject({
    topic: 'test.stop',
    key: 'console',
    value: 'console: smoke',
  })
  const lift = await post('/v1/controls', '{"kind":"stop","stopped":false,"reason":"no fire"}')
  expect(lift.produced[1]).toMatchObject({ topic: 'test.stop', key: 'console', value: null })
})

test('a stop of one pool leaves the others alone', async () => {
  const { produced } = await post(
    '/v1/controls',
    '{"kind":"stop","stopped":true,"pool":"gpu","reason":"smoke"}',
  )
  expect(produced.map(({ topic }) => topic)).toEqual(['test.controls'])
})

test.each([
  { body: '{"kind":"mode","mode":"enforce"}', detail: 'reason:' },
  { body: '{"kind":"mode","mode":"enforce","reason":"  "}', detail: 'reason:' },
  { body: '{"kind":"mode","mode":"on","reason":"r"}', detail: 'mode:' },
  { body: '{"kind":"veto","veto":true,"reason":"r"}', detail: 'node:' },
  { body: '{"kind":"stop","stopped":true,"reason":"r","pol":"a"}', detail: 'pol' },
  { body: '{"kind":"explode","reason":"r"}', detail: 'kind:' },
  { body: 'stop', detail: 'the body is not JSON' },
])('control $body is refused, naming $detail', async ({ body, detail }) => {
  const answer = await post('/v1/controls', body)
  expect(answer.status).toBe(400)
  expect((answer.body as { detail: string }).detail).toContain(detail)
  expect(answer.produced).toEqual([])
})
