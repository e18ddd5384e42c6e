// Goal: what producers send is read from its bytes; what is not plain is left alone, and nothing of it is taken.
import { describe, expect, test } from 'vitest'
import { toBytes, toText } from '../../../src/core/bytes.ts'
import { NOT_PLAIN } from '../../../src/ingest/json-number.ts'
import { PlainReader } from '../../../src/ingest/json-plain.ts'
import { NOW_MS, nodeClasses } from './case.ts'

const context = { defaultClass: 'server', nowMs: NOW_MS }

function read(text: string) {
  const reader = new PlainReader(nodeClasses)
  reader.begin(toBytes(text), context)
  const end = reader.readRow(0)
  const { rows, refusal, unknownMetricCount } = reader
  const node = toText(rows.names.subarray(0, rows.nameEnds[1]))
  const values = [...rows.values.subarray(0, rows.valueStarts[1])]
  return {
    end,
    refusal,
    unknownMetricCount,
    row: rows.count === 0 ? undefined : [node, rows.nodeClasses[0].name, rows.atMs[0], ...values],
  }
}

test.each([
  {
    text: `{"node":"n1","at":${NOW_MS},"metrics":{"cpu_temperature":61.5,"error_rate":null}}`,
    row: ['n1', 'server', NOW_MS, 61.5, NaN],
    because: 'this is what JSON.stringify writes',
  },
  {
    text: `{"node": "n1", "at": ${NOW_MS}.25, "metrics": {"error_rate": -1.5e-3}}`,
    row: ['n1', 'server', NOW_MS, NaN, -0.0015],
    because: 'this is what json.dumps writes',
  },
  {
    text: `{\r\n\t"node": "köln-1",\r\n\t"at": 1\r\n}`,
    row: ['köln-1', 'server', 1, NaN, NaN],
    because: 'lines, tabs and letters beyond ASCII are plain',
  },
  {
    text: '{"metrics":{"smart_5":3},"at":1,"node":"d1","class":"drive"}',
    row: ['d1', 'drive', 1, 3],
    because: 'a class may stand behind its metrics',
  },
  {
    text: '{"node":"n1","at":1,"class":null,"metrics":null,"rack":"r1","up":true,"load":0.5}',
    row: ['n1', 'server', 1, NaN, NaN],
    because: 'null is absent, and other plain fields are passed over',
  },
])('$text is read, because $because', ({ text, row }) => {
  expect(read(text)).toMatchObject({ end: toBytes(text).length, row, refusal: undefined })
})

test('metrics that the class lacks are counted', () => {
  const text = '{"node":"a","at":1,"metrics":{"fan":1,"error_rate":2,"fan_2":"x"}}'
  expect(read(text)).toMatchObject({ unknownMetricCount: 2, row: ['a', 'server', 1, NaN, 2] })
})

test('a time that cannot be is refused here too, and takes no row', () => {
  const { end, row, refusal } = read(`{"node":"a","at":${NOW_MS + 300_001}}`)
  expect(end).toBeGreaterThan(0)
  expect([row, refusal?.reason]).toEqual([undefined, 'in-the-future'])
})

describe('not plain', () => {
  test.each([
    { text: String.raw`{"node":"a\u0062","at":1}`, because: 'of an escape' },
    { text: '{"node":"a","node":"b","at":1}', because: 'a field comes twice' },
    {
      text: '{"node":"a","at":1,"metrics":{"error_rate":1,"error_rate":2}}',
      because: 'a metric does',
    },
    { text: '{"node":"a","at":1,"metrics":{"fan":1,"fan":2}}', because: 'an unknown metric does' },
    { text: '{"node":"a","at":1,"metrics":{"error_rate":[1]}}', because: 'a value is nested' },
    { text: '{"node":"a","at":1,"labels":{}}', because: 'another field is' },
    { text: '{"node":"a","at":1,"class":"toaster"}', because: 'the class is unknown' },
    { text: '{"node":"a","at":"yesterday"}', because: 'the time is none' },
    { text: `{"node":"${'x'.repeat(257)}","at":1}`, because: 'the name is too long' },
    { text: '{"node":"","at":1}', because: 'the name is empty' },
    { text: '{"at":1}', because: 'there is no name' },
    { text: '{"node":"a","at":1', because: 'it is cut off' },
    { text: '{"node":"a","at":1,}', because: 'of the last comma' },
    { text: '{}', because: 'it is empty' },
  ])('$text, because $because', ({ text }) => {
    expect(read(text)).toMatchObject({ end: NOT_PLAIN, row: undefined })
  })
})

test('half a letter is no text, wherever the record is cut', () => {
  const bytes = toBytes('{"node":"ü","at":1}')
  bytes[10] = 0x20
  const reader = new PlainReader(nodeClasses)
  reader.begin(bytes, context)
  expect(reader.readRow(0)).toBe(NOT_PLAIN)
})
