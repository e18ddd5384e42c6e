// Goal: a record read from its frame alone is staged as the Arrow library would have it.
// Method: one table reads records as they are, another the same as files, whose frame is the library's.
import { fc, test } from '@fast-check/vitest'
import { Table, tableFromIPC, tableToIPC } from 'apache-arrow'
import { describe, expect } from 'vitest'
import { isServiceError } from '../../../src/core/errors.ts'
import { SampleBuilder } from '../../../src/ingest/samples.ts'
import { StreamReader } from '../../../src/core/arrow-layout.ts'
import { PROBE, samplesIpc } from '../../support/node-class.ts'
import { newTable, OBSERVED } from '../../support/node-program.ts'
import type { NodeTable } from '../../../src/state/node-table.ts'
import type { SampleRow } from '../../support/node-class.ts'

const value = fc.oneof(fc.constant(null), fc.double({ noNaN: true }))
const row: fc.Arbitrary<SampleRow> = fc.record({
  node: fc.oneof(fc.constantFrom('a', 'b', 'é', '', 'x'.repeat(257)), fc.string({ maxLength: 20 })),
  at: fc.integer({ min: 0, max: 500_000 }),
  metrics: fc.record({ temperature: value, bytes: value, status: value, latency: value }),
})
const rows = fc.array(row, { minLength: 1, maxLength: 30 })
const shape = fc.record({
  dictionary: fc.boolean(),
  extra: fc.constantFrom<readonly string[]>([], ['other']),
  float32: fc.boolean(),
})
const FIRST: readonly SampleRow[] = [
  { node: 'a', at: 1, metrics: { temperature: null, bytes: 1, status: 1, latency: null } },
]

function fold(table: NodeTable, ipc: Uint8Array): void {
  table.load(ipc)
  while (!table.fold(OBSERVED)) table.clearRows()
  table.clearRows()
}

function stateOf(table: NodeTable): unknown {
  table.advance(600_000)
  const { node, atMs, matrix } = table.rows()
  return [[...node].map((index) => table.idOf(index)), [...atMs], [...matrix], table.counts()]
}

/** A record as our own ingest writes it. */
function built(samples: readonly SampleRow[]): Uint8Array {
  const builder = new SampleBuilder(PROBE)
  for (const { node, at, metrics } of samples) {
    const name = new TextEncoder().encode(node)
    builder.append(name, 0, name.length, at, at)
    for (const [index, metric] of PROBE.metrics.entries()) {
      builder.set(index, metrics[metric.name] ?? Number.NaN)
    }
  }
  return builder.build()
}

function newReader(): StreamReader {
  return new StreamReader(PROBE.metrics.map(({ name }) => name))
}

describe('a plain record', () => {
  test.prop([rows, shape], { numRuns: 150, seed: 11 })(
    'is staged as the library would have it',
    (samples, as) => {
      const [known, fresh] = [newTable(), newTable()]
      const [first, second] = [samplesIpc(PROBE, FIRST, as), samplesIpc(PROBE, samples, as)]
      fold(known, first)
      fold(known, second)
      expect(newReader().read(second)?.rows).toBe(samples.length)
      fold(fresh, tableToIPC(tableFromIPC(first), 'file'))
      fold(fresh, tableToIPC(tableFromIPC(second), 'file'))
      expect(stateOf(known)).toEqual(stateOf(fresh))
    },
  )

  test.prop([rows, fc.boolean()], { numRuns: 40, seed: 12 })(
    'may have several batches, and one dictionary for them',
    (samples, dictionary) => {
      const whole = tableFromIPC(samplesIpc(PROBE, samples, { dictionary }))
      const [batch] = whole.batches
      const cut = batch.numRows >> 1
      const parts = [batch.slice(0, cut), batch.slice(cut)]
      const stream = tableToIPC(new Table(whole.schema, parts), 'stream')
      const layout = newReader().read(stream)
      expect(layout?.batches).toHaveLength(2)
      const [known, fresh] = [newTable(), newTable()]
      fold(known, stream)
      fold(fresh, stream)
      fold(known, stream)
      fold(fresh, tableToIPC(whole, 'file'))
      expect(stateOf(known)).toEqual(stateOf(fresh))
    },
  )

  test('of our own ingest is always of the plain kind', () => {
    const reader = newReader()
    expect(reader.read(built(FIRST))?.metadata.get('class')).toBe(PROBE.name)
    const more = built([...FIRST, { node: 'b', at: 2, metrics: { bytes: 3 } }])
    expect(reader.read(more)).toMatchObject({ rows: 2, unknownColumns: 0 })
  })

  test('without a column of the class is missing it in every row', () => {
    const narrow = { ...PROBE, metrics: PROBE.metrics.slice(0, 2) }
    const ipc = samplesIpc(narrow, FIRST)
    const layout = newReader().read(ipc)
    expect(layout?.batches[0].metrics[1]).toBeDefined()
    expect(layout?.batches[0].metrics[3]).toBeUndefined()
  })
})

test.prop([fc.array(fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }) }), { maxLength: 4 })], {
  numRuns: 1_000,
  seed: 13,
})('a damaged frame is read within its bytes, or left to the library', (damages) => {
  for (const dictionary of [false, true]) {
    const sound = samplesIpc(PROBE, FIRST, { dictionary })
    const reader = newReader()
    expect(reader.read(sound)?.rows).toBe(FIRST.length)
    // Amid other bytes, as in a fetched set of records.
    const record = new Uint8Array(3 * sound.length).subarray(sound.length, 2 * sound.length)
    record.set(sound)
    for (const { at, byte } of damages) record[at % record.length] = byte
    for (const { at, appendedAt, metrics } of reader.read(record)?.batches ?? []) {
      const columns = metrics.map((column) => column?.values ?? at)
      for (const view of [at, appendedAt ?? at, ...columns]) {
        expect(view.byteOffset).toBeGreaterThanOrEqual(record.byteOffset)
        expect(view.byteOffset + view.length).toBeLessThanOrEqual(record.byteOffset + record.length)
      }
    }
  }
})

test('a name whose offsets lead out of the bytes is no name', () => {
  const sound = built([{ node: 'abcdefgh', at: 5, metrics: {} }])
  const [offsets] = tableFromIPC(sound)
    .getChild('node')!
    .data.map((part) => part.valueOffsets)
  const damaged = Uint8Array.from(sound)
  new DataView(damaged.buffer).setInt32(offsets.byteOffset - sound.byteOffset + 4, 9_000, true)
  const table = newTable()
  fold(table, sound)
  fold(table, damaged)
  expect(table.counts()).toMatchObject({ rows: 2, folded: 1, rejected: 1 })
  expect(table.nodeCount).toBe(1)
})

test('a dictionary key out of range is refused, and adds no node', () => {
  const sound = samplesIpc(PROBE, FIRST, { dictionary: true })
  const keys = tableFromIPC(sound).getChild('node')!.data[0].values as Int32Array
  const damaged = Uint8Array.from(sound)
  new DataView(damaged.buffer).setInt32(keys.byteOffset - sound.byteOffset, 7, true)
  const table = newTable()
  fold(table, samplesIpc(PROBE, [{ ...FIRST[0], node: 'z' }], { dictionary: true }))
  let code = 'none'
  try {
    table.load(damaged)
  } catch (error) {
    if (isServiceError(error)) code = error.code
  }
  expect(code).toBe('INPUT_INVALID')
  expect(table.nodeCount).toBe(1)
})
