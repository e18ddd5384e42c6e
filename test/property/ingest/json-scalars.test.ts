// Goal: numbers, times and names read from their bytes are those that their texts are.
// Method: texts as producers write them, and made to be hard, against JSON.parse, timeField and a Map.
import { fc, test } from '@fast-check/vitest'
import { describe, expect, test as example } from 'vitest'
import { timeField } from '../../../src/ingest/field.ts'
import { NOT_PLAIN, readNumber } from '../../../src/ingest/json-number.ts'
import { TimeReader } from '../../../src/ingest/json-time.ts'
import { NO_NAME, NameTable } from '../../../src/ingest/name-table.ts'

/** The text, and behind it what a reader of records puts there. */
function padded(text: string): { readonly bytes: Buffer; readonly view: DataView } {
  const bytes = Buffer.from(`${text}\0\0\0\0`)
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) }
}

function numberOf(text: string): number | undefined {
  const { bytes, view } = padded(text)
  const out = new Float64Array(1)
  const end = readNumber(bytes, view, 0, out, 0)
  return end === text.length ? out[0] : undefined
}

/** Exactly between two doubles, and a little to either side. */
const ties = fc
  .tuple(fc.bigInt({ min: 2n ** 52n, max: 2n ** 53n - 1n }), fc.nat({ max: 16 }), fc.boolean())
  .map(([mantissa, point, above]) => {
    const digits = String(2n * mantissa + 1n)
    const at = 1 + (point % (digits.length - 1))
    return `${digits.slice(0, at)}.${digits.slice(at)}${above ? '0000000001' : ''}`
  })
const numbers = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.double({ min: 0, max: 1, noNaN: true }).map(String),
  fc
    .tuple(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.nat({ max: 20 }))
    .map(([value, places]) => value.toFixed(places)),
  fc.float({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc
    .tuple(fc.bigInt({ min: 0n, max: 10n ** 19n }), fc.integer({ min: -330, max: 310 }))
    .map(([mantissa, exponent]) => `${mantissa}e${exponent}`),
  fc.stringMatching(/^-?(0|[1-9]\d{0,25})(\.\d{1,25})?([eE][+-]?\d{1,7})?$/),
  ties,
)

test.prop([numbers], { numRuns: 20_000 })('a number is bit for bit that of JSON.parse', (text) => {
  expect(numberOf(text)).toBe(JSON.parse(text))
})

test.prop([fc.stringMatching(/^[-+0-9.eE]{1,12}$/)], { numRuns: 5_000 })(
  'what is no JSON number is not read as one',
  (text) => {
    let expected: unknown
    try {
      expected = JSON.parse(text)
    } catch {
      expected = undefined
    }
    expect(numberOf(text)).toBe(expected)
  },
)

const two = (most: number) =>
  fc.integer({ min: 0, max: most }).map((n) => String(n).padStart(2, '0'))
const timeTexts = fc
  .tuple(
    fc.oneof(fc.integer({ min: 1969, max: 2100 }), fc.nat({ max: 9_999 })),
    fc.tuple(two(13), two(32), two(25), two(60), two(61)),
    fc.constantFrom('T', 't', ' ', '_'),
    fc.oneof(fc.constant(''), fc.stringMatching(/^\.\d{0,12}$/)),
    fc.oneof(
      fc.constantFrom('Z', 'z', '', '+1:00', '+01:00:00'),
      fc
        .tuple(fc.constantFrom('+', '-'), two(25), two(61))
        .map(([sign, h, m]) => `${sign}${h}:${m}`),
    ),
  )
  .map(([year, [month, day, hour, minute, second], separator, fraction, zone]) => {
    const date = `${String(year).padStart(4, '0')}-${month}-${day}`
    return `${date}${separator}${hour}:${minute}:${second}${fraction}${zone}`
  })
const reader = new TimeReader()

test.prop([timeTexts], { numRuns: 20_000 })('a time that is read is that of timeField', (text) => {
  const { bytes } = padded(text)
  const ms = reader.read(bytes, 0, text.length)
  const field = timeField(text, Infinity)
  if (Number.isNaN(ms) || ms < 0) return
  expect(field).toEqual({ ok: true, value: ms })
})

example.each([
  '2025-11-20T21:43:20Z',
  '2025-11-20T21:43:20.123Z',
  '2025-11-20 21:43:20.123456789z',
  '2024-02-29T00:00:00+01:30',
  '2025-12-31T23:59:59.999-11:59',
])('%s is read and not left to others', (text) => {
  expect(reader.read(padded(text).bytes, 0, text.length)).toBe(
    Date.parse(text.toUpperCase().replace(' ', 'T')),
  )
})

describe('a table of names', () => {
  const known = ['cpu', 'cpu_temperature', 'cpu_temperature_2', '', 'größe', 'a"b', 'a\\b']
  const names = fc.oneof(
    fc.constantFrom(...known),
    fc.integer({ min: 1, max: 30 }).map((length) => 'x'.repeat(length)),
    fc.string({ maxLength: 12, unit: 'grapheme' }),
  )
  const indexOf = (table: NameTable, name: string): number => {
    const { view } = padded(`${name}"`)
    return table.indexOf(view, 0, Buffer.byteLength(name))
  }

  test.prop([fc.array(names, { maxLength: 40 })])('is a map', (list) => {
    const table = new NameTable(known, 64)
    const indices = new Map<string, number>()
    for (const name of list) {
      if (/["\\\p{Cc}]/u.test(name)) continue
      const index = indexOf(table, name)
      if (known.includes(name)) expect(index).toBe(known.indexOf(name))
      else expect(index).toBe(indices.get(name) ?? known.length + indices.size)
      if (!known.includes(name)) indices.set(name, index)
      const { view } = padded(`${name}"`)
      expect(table.endOf(index, view, 0)).toBe(Buffer.byteLength(name))
      for (const other of [`${name}x`, name.slice(0, -1), `x${name}`]) {
        if (other !== name) expect(table.endOf(index, padded(`${other}"`).view, 0)).toBe(NO_NAME)
      }
    }
  })

  example('forgets what it learned when it is full, and keeps what it knew', () => {
    const table = new NameTable(['a', 'b'], 2)
    const ask = (...list: readonly string[]) => list.map((name) => indexOf(table, name))
    expect(ask('x', 'y', 'x', 'b')).toEqual([2, 3, 2, 1])
    expect(ask('z', 'a', 'z', 'x', 'b')).toEqual([NO_NAME, 0, 2, 3, 1])
    expect(ask('x'.repeat(257))).toEqual([NO_NAME])
  })

  example('never finds a known name that JSON writes with escapes', () => {
    const table = new NameTable(['a"b', 'c'], 0)
    expect([indexOf(table, 'a'), indexOf(table, 'c')]).toEqual([NO_NAME, 1])
    expect(table.endOf(NO_NAME, padded('c"').view, 0)).toBe(NO_NAME)
  })
})

example.each(['', '-', 'x', '"1"'])('%o is no number', (text) => {
  const { bytes, view } = padded(text)
  expect(readNumber(bytes, view, 0, new Float64Array(1), 0)).toBe(NOT_PLAIN)
})
