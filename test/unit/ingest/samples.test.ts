import { tableFromIPC } from 'apache-arrow'
import { expect, test } from 'vitest'
import { toBytes } from '../../../src/core/bytes.ts'
import { SampleBuilder } from '../../../src/ingest/samples.ts'
import { NOW_MS, server } from './case.ts'

function append(builder: SampleBuilder, node: string, atMs: number, values: readonly number[]) {
  const name = toBytes(node)
  builder.append(name, 0, name.length, atMs, NOW_MS)
  for (const [metric, value] of values.entries()) builder.set(metric, value)
}

function rowsOf(bytes: Uint8Array): readonly unknown[] {
  return tableFromIPC(bytes)
    .toArray()
    .map((row) => row.toJSON())
}

test('rows come back from Arrow as they went in, with missing values as null', () => {
  const builder = new SampleBuilder(server)
  append(builder, 'n1', NOW_MS - 5, [61.5, NaN])
  append(builder, 'größe', 0, [NaN, NaN])
  append(builder, 'n1', 8_640_000_000_000_000, [-0.25, 1e300])
  const bytes = builder.build()
  const table = tableFromIPC(bytes)
  expect(table.schema.fields.map((field) => `${field.name}: ${field.type}`)).toEqual([
    'node: Utf8',
    'at: Timestamp<MILLISECOND>',
    'appended_at: Timestamp<MILLISECOND>',
    'cpu_temperature: Float64',
    'error_rate: Float64',
  ])
  expect(table.schema.metadata.get('class')).toBe('server')
  expect(rowsOf(bytes)).toEqual([
    { node: 'n1', at: NOW_MS - 5, appended_at: NOW_MS, cpu_temperature: 61.5, error_rate: null },
    { node: 'größe', at: 0, appended_at: NOW_MS, cpu_temperature: null, error_rate: null },
    {
      node: 'n1',
      at: 8_640_000_000_000_000,
      appended_at: NOW_MS,
      cpu_temperature: -0.25,
      error_rate: 1e300,
    },
  ])
})

test('a built batch keeps its rows while the builder takes the next ones', () => {
  const builder = new SampleBuilder(server)
  append(builder, 'first', 1, [1, 1])
  const first = builder.build()
  append(builder, 'other', 2, [2, NaN])
  builder.build()
  expect(rowsOf(first)).toEqual([
    { node: 'first', at: 1, appended_at: NOW_MS, cpu_temperature: 1, error_rate: 1 },
  ])
})

test('a value that was set in an earlier batch does not come back in the next', () => {
  const builder = new SampleBuilder(server)
  append(builder, 'n1', 1, [1, 1])
  builder.build()
  append(builder, 'n2', 2, [])
  expect(rowsOf(builder.build())).toEqual([
    { node: 'n2', at: 2, appended_at: NOW_MS, cpu_temperature: null, error_rate: null },
  ])
})

test('columns grow past their first size and the rows stay', () => {
  const builder = new SampleBuilder(server)
  for (let row = 0; row < 1_000; row++) append(builder, `node-${row}`, row, [row, -row])
  const table = tableFromIPC(builder.build())
  expect(table.numRows).toBe(1_000)
  expect(table.get(999)?.toJSON()).toMatchObject({ node: 'node-999', at: 999, error_rate: -999 })
  expect(table.get(63)?.toJSON()).toMatchObject({ node: 'node-63', at: 63, cpu_temperature: 63 })
})

test('a full builder takes no row until it is built', () => {
  const builder = new SampleBuilder(server, 2)
  append(builder, 'n1', 1, [])
  append(builder, 'n2', 1, [])
  expect(builder.full).toBe(true)
  expect(() => append(builder, 'n3', 1, [])).toThrow('bug: a full batch takes no row')
  builder.build()
  expect(builder.count).toBe(0)
})
