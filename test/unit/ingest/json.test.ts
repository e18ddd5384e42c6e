import { expect, test } from 'vitest'
import { toBytes } from '../../../src/core/bytes.ts'
import { decodeJsonSamples } from '../../../src/ingest/json.ts'
import type { DecodedJson } from '../../../src/ingest/json.ts'
import { NOW_MS, nodeClasses } from './case.ts'

function decode(text: string | Uint8Array): DecodedJson {
  const bytes = typeof text === 'string' ? toBytes(text) : text
  return decodeJsonSamples(bytes, { nodeClasses, defaultClass: 'server', nowMs: NOW_MS })
}

function rowsOf(decoded: DecodedJson): readonly unknown[] {
  if (!decoded.ok) return [decoded.detail]
  return decoded.rows.map(({ node, nodeClass, atMs, values }) => [
    node,
    nodeClass.name,
    atMs,
    ...values,
  ])
}

test.each([
  {
    text: `{"node":"n1","at":${NOW_MS},"metrics":{"cpu_temperature":61.5}}`,
    rows: [['n1', 'server', NOW_MS, 61.5, NaN]],
    because: 'the class is the default one',
  },
  {
    text: `{"node":"d1","class":"drive","at":"2025-11-20T21:43:20.5+00:00","metrics":{"smart_5":3}}`,
    rows: [['d1', 'drive', 1_763_675_000_500, 3]],
    because: 'the row names its class, and the time is RFC 3339',
  },
  {
    text: `{"node":"n1","at":5.9,"metrics":{"cpu_temperature":null,"error_rate":0}}`,
    rows: [['n1', 'server', 5, NaN, 0]],
    because: 'null is missing, zero is not, and times are whole ms',
  },
  {
    text: `{"node":"n1","at":1}`,
    rows: [['n1', 'server', 1, NaN, NaN]],
    because: 'a sample without metrics is a sign of life',
  },
  {
    text: `[{"node":"a","at":1},{"node":"b","at":2}]`,
    rows: [
      ['a', 'server', 1, NaN, NaN],
      ['b', 'server', 2, NaN, NaN],
    ],
    because: 'a list has several',
  },
  {
    text: `{"node":"a","at":1}\n\r\n{"node":"b","at":2}\n`,
    rows: [
      ['a', 'server', 1, NaN, NaN],
      ['b', 'server', 2, NaN, NaN],
    ],
    because: 'lines have several, and empty ones do not count',
  },
  {
    text: `{\n"node": "a",\n"at": 1\n}`,
    rows: [['a', 'server', 1, NaN, NaN]],
    because: 'one object may be spread over lines',
  },
  {
    text: `{"node":"n1","at":${NOW_MS + 300_000}}`,
    rows: [['n1', 'server', NOW_MS + 300_000, NaN, NaN]],
    because: 'five minutes ahead are allowed',
  },
  { text: '[]', rows: [], because: 'an empty list is fine' },
])('$text is taken, because $because', ({ text, rows }) => {
  const decoded = decode(text)
  expect(rowsOf(decoded)).toEqual(rows)
  expect(decoded).toMatchObject({ ok: true, refused: [] })
})

test('metrics that the class lacks are counted and ignored, whatever they hold', () => {
  const text = '{"node":"a","at":1,"metrics":{"error_rate":1,"constructor":"x","fan":[]}}'
  expect(decode(text)).toMatchObject({ ok: true, unknownMetricCount: 2, refused: [] })
})

const at = 'expected ms since 1970 or an RFC 3339 time'
test.each([
  { text: '', reason: 'empty', detail: 'the record is empty' },
  { text: ' \n ', reason: 'empty', detail: 'the record is empty' },
  { text: 'cpu=5', reason: 'not-json', detail: 'is not JSON: "cpu=5"' },
  { text: 'a\nb\n', reason: 'not-json', detail: String.raw`is not JSON: "a\nb\n"` },
  {
    text: Uint8Array.of(0x7b, 0xff, 0x7d),
    reason: 'not-utf8',
    detail: 'the record is not UTF-8 text',
  },
])('the whole record $text is refused', ({ text, reason, detail }) => {
  expect(decode(text)).toEqual({ ok: false, reason, detail })
})

test.each([
  { text: '5', reason: 'not-an-object', detail: 'expected a JSON object, found a number' },
  { text: '[[]]', reason: 'not-an-object', detail: 'expected a JSON object, found a list' },
  {
    text: '{"at":1}',
    reason: 'node-missing',
    detail: '`node` is missing; expected the name of the node',
  },
  {
    text: '{"node":7,"at":1}',
    reason: 'node-invalid',
    detail: '`node` is a number; expected text',
  },
  {
    text: '{"node":"","at":1}',
    reason: 'node-invalid',
    detail: '`node` is empty; expected the name of the node',
  },
  {
    text: `{"node":"${'x'.repeat(65_536)}","at":1}`,
    reason: 'node-invalid',
    detail: `\`node\` is longer than 256 bytes: "${'x'.repeat(60)}…"`,
  },
  {
    text: `{"node":"${'ü'.repeat(129)}","at":1}`,
    reason: 'node-invalid',
    detail: `\`node\` is longer than 256 bytes: "${'ü'.repeat(60)}…"`,
  },
  {
    text: String.raw`{"node":"a\nb","at":1}`,
    reason: 'node-invalid',
    detail: String.raw`${'`node`'} has a control character: "a\nb"`,
  },
  {
    text: String.raw`{"node":"\ud800","at":1}`,
    reason: 'node-invalid',
    detail: '`node` has half a surrogate pair; expected Unicode text',
  },
  {
    text: '{"node":"a","class":"toaster","at":1}',
    reason: 'class-unknown',
    detail: '`class` is "toaster"; known are: server, drive',
  },
  {
    text: '{"node":"a","class":1,"at":1}',
    reason: 'class-unknown',
    detail: '`class` is a number; known are: server, drive',
  },
  { text: '{"node":"a"}', reason: 'at-missing', detail: `\`at\` is missing; ${at}` },
  {
    text: '{"node":"a","at":"yesterday"}',
    reason: 'at-invalid',
    detail: `\`at\` is "yesterday"; ${at}`,
  },
  {
    text: '{"node":"a","at":"2025-13-20T00:00:00Z"}',
    reason: 'at-invalid',
    detail: `\`at\` is "2025-13-20T00:00:00Z"; ${at}`,
  },
  { text: '{"node":"a","at":-1}', reason: 'at-invalid', detail: `\`at\` is "-1"; ${at}` },
  { text: '{"node":"a","at":1e999}', reason: 'at-invalid', detail: `\`at\` is "Infinity"; ${at}` },
  { text: '{"node":"a","at":{}}', reason: 'at-invalid', detail: `\`at\` is an object; ${at}` },
  {
    text: `{"node":"a","at":${NOW_MS + 300_001}}`,
    reason: 'in-the-future',
    detail:
      "`at` is 301 s ahead of the log, more than the 300 s allowed; check the node's clock and that the unit is ms",
  },
  {
    text: '{"node":"a","at":1,"metrics":{"cpu_temperature":"hot"}}',
    reason: 'metric-not-a-number',
    detail: 'metric `cpu_temperature` is a string; expected a number or null',
  },
  {
    text: '{"node":"a","at":1,"metrics":[1]}',
    reason: 'field-invalid',
    detail: '`metrics`: expected a JSON object, found a list',
  },
])('the row is refused as $reason: $detail', ({ text, reason, detail }) => {
  expect(decode(text)).toMatchObject({ ok: true, rows: [], refused: [{ reason, detail }] })
})

test('a bad row is refused by its number, and its neighbours are taken', () => {
  const decoded = decode('{"node":"a","at":1}\n{"node":\n{"node":"c","at":3}')
  expect(rowsOf(decoded)).toHaveLength(2)
  expect(decoded).toMatchObject({
    refused: [{ reason: 'not-json', detail: String.raw`row 2: is not JSON: "{\"node\":"` }],
  })
})
