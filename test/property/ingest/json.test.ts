// Goal: reading samples from their bytes says of every record what JSON.parse and json.ts say.
// Method: records of all shapes, sound and damaged, written as several producers do, both ways.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { toBytes, toText } from '../../../src/core/bytes.ts'
import { decodeJsonSamples } from '../../../src/ingest/json.ts'
import type { SampleContext } from '../../../src/ingest/json.ts'
import { JsonDecoder } from '../../../src/ingest/json-decoder.ts'
import { NOW_MS, nodeClasses } from '../../unit/ingest/case.ts'

const DAY_MS = 86_400_000
const contexts: fc.Arbitrary<Omit<SampleContext, 'nodeClasses'>> = fc.constantFrom(
  { defaultClass: 'server', nowMs: NOW_MS },
  { defaultClass: 'drive', nowMs: NOW_MS, sampleAgeMsMax: 30 * DAY_MS },
  { defaultClass: 'server', nowMs: Infinity, sampleAgeMsMax: 30 * DAY_MS },
  { defaultClass: 'nothing', nowMs: NOW_MS },
)

/** One for all records, so that what it learned from one meets the next. */
const decoder = new JsonDecoder(nodeClasses)

function bothWays(bytes: Uint8Array, context: Omit<SampleContext, 'nodeClasses'>): void {
  const expected = decodeJsonSamples(bytes, { ...context, nodeClasses })
  const found = decoder.decode(bytes, context)
  if (!expected.ok || !found.ok) {
    expect(found).toEqual(expected)
    return
  }
  const { count, names, nameEnds, atMs, nodeClasses: classes, values, valueStarts } = found.rows
  const rows = Array.from({ length: count }, (_, row) => ({
    node: toText(names.subarray(nameEnds[row], nameEnds[row + 1])),
    nodeClass: classes[row],
    atMs: atMs[row],
    values: values.slice(valueStarts[row], valueStarts[row + 1]),
  }))
  expect({ ...found, rows }).toEqual(expected)
}

const numbers = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc.double({ min: 0, max: 100, noNaN: true }).map((value) => value.toFixed(3)),
  fc.double({ min: 0, max: 1, noNaN: true }).map((value) => value.toPrecision(20)),
  fc.integer().map(String),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
  fc.constantFrom('0', '-0', '0.0', '1e5', '1E-7', '-2.5e+22', '1e999', '5e-324', '0e99999999999'),
)
const broken = fc.constantFrom('01', '1.', '.5', '+1', '1e', '--1', 'NaN', 'Infinity', '0x1', '1_0')
const others = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('null', 'true', 'false', '"x"', '""', '{}', '[]') },
  { weight: 1, arbitrary: broken },
  { weight: 1, arbitrary: fc.jsonValue().map((value) => JSON.stringify(value)) },
)
const times = fc.oneof(
  fc.integer({ min: NOW_MS - 90 * DAY_MS, max: NOW_MS + 600_000 }).map(String),
  fc
    .integer({ min: NOW_MS - 90 * DAY_MS, max: NOW_MS + 600_000 })
    .map((ms) => JSON.stringify(new Date(ms).toISOString())),
  fc.constantFrom('"2025-11-20 21:43:20.123456+01:30"', '"2025-11-20T21:43:20z"', '1.5', '-1'),
  others,
)
const texts = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('"n1"', '"rack-3/node-7"', '"köln-1"', '"節點"') },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)) },
  { weight: 1, arbitrary: fc.constantFrom(`"${'x'.repeat(256)}"`, `"${'ü'.repeat(129)}"`) },
  { weight: 1, arbitrary: others },
)
const classes = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('"server"', '"drive"', 'null') },
  { weight: 1, arbitrary: fc.oneof(fc.constantFrom('"toaster"', '"serve"'), others) },
)
const spaces = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom('', ' ') },
  { weight: 1, arbitrary: fc.constantFrom('\n', '\r\n', '\t ', '\u00a0', '\ufeff', '\u0000') },
)

/** Fields as written, in that order, with spaces as some producer has them. */
const objectOf = (fields: fc.Arbitrary<readonly (readonly [string, string])[]>) =>
  fc.tuple(fields, spaces, spaces).map(([list, before, after]) => {
    const body = list.map(([name, value]) => `${before}"${name}"${after}:${before}${value}${after}`)
    return `{${body.join(',')}}`
  })
const metricNames = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('cpu_temperature', 'error_rate', 'smart_5') },
  {
    weight: 3,
    arbitrary: fc.constantFrom('fan', 'fan_2', '', '__proto__', 'constructor', 'größe'),
  },
  { weight: 1, arbitrary: fc.constantFrom('error\\u005frate', 'cpu_temperature ', 'a\\"b') },
)
const metrics = fc.oneof(
  {
    weight: 8,
    arbitrary: objectOf(
      fc.array(fc.tuple(metricNames, fc.oneof({ weight: 8, arbitrary: numbers }, others)), {
        maxLength: 5,
      }),
    ),
  },
  { weight: 1, arbitrary: others },
)
const field = (name: string, values: fc.Arbitrary<string>, freq: number) =>
  fc.option(fc.tuple(fc.constant(name), values), { freq, nil: undefined })
const fields = fc
  .tuple(
    field('node', texts, 12),
    field('at', times, 12),
    field('metrics', metrics, 6),
    field('class', classes, 1),
    fc
      .constantFrom('node', 'at', 'class', 'metrics', 'rack', 'nodes')
      .chain((name) => field(name, others, 1)),
  )
  .chain((list) => {
    const present = list.filter((entry) => entry !== undefined)
    return fc.shuffledSubarray(present, { minLength: present.length })
  })
const objects = objectOf(fields)
const lists = fc.array(objects, { maxLength: 5 })
const separators = fc.constantFrom('\n', '\n', '\r\n', '\n \n', '\n\u00a0\n', '\n\ufeff', '\n5\n')
const records = fc.oneof(
  objects,
  lists.map((items) => `[${items.join(',')}]`),
  fc.tuple(lists, separators).map(([items, separator]) => items.join(separator)),
  fc.tuple(lists, separators).map(([items, separator]) => items.join(separator) + separator),
)

test.prop([records, contexts], { numRuns: 5_000 })('of a record of any shape', (text, context) => {
  bothWays(toBytes(text), context)
})

const damages = fc.array(
  fc.tuple(
    fc.nat(),
    fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(...toBytes('{}[]",:\\\n 0e.-'))),
  ),
  { minLength: 1, maxLength: 3 },
)
test.prop([records, damages, contexts, fc.nat()], { numRuns: 5_000 })(
  'of a damaged record, and of one that is cut off',
  (text, changes, context, length) => {
    const bytes = toBytes(text)
    for (const [at, byte] of changes) bytes[at % bytes.length] = byte
    bothWays(bytes, context)
    bothWays(bytes.subarray(0, length % (bytes.length + 1)), context)
  },
)
