import { describe, expect, test } from 'vitest'
import {
  BINS,
  binOf,
  CohortCounter,
  mergeCohorts,
  percentiles,
} from '../../../src/state/cohorts.ts'
import { metric, PROBE, samplesIpc } from '../../support/node-class.ts'
import { newTable, OBSERVED } from '../../support/node-program.ts'
import type { NodeId, PoolId } from '../../../src/core/ids.ts'
import type { CohortTable } from '../../../src/state/cohorts.ts'
import type { NodeTable } from '../../../src/state/node-table.ts'

const MINUTE = 60_000
const cohort = { cohort: 'p/probe/m1', pool: 'p' as PoolId, nodeClass: 'probe' }
const place = { zone: null, region: null, latitude: null, longitude: null }
const capacity = { cpu: 1, memoryBytes: 1, gpu: null }

function counts(...pairs: readonly (readonly [number, number])[]): number[] {
  const bins = Array.from({ length: BINS }, () => 0)
  for (const [bin, count] of pairs) bins[bin] = count
  return bins
}

function joined(nodes: readonly string[]): NodeTable {
  const table = newTable()
  for (const node of nodes) {
    const labels = { model: 'm1' }
    const pool = cohort.pool
    const join = { kind: 'join', node: node as NodeId, atMs: 0, class: 'probe' } as const
    table.foldEvent({ ...join, pool, labels, place, capacity }, 0, OBSERVED)
  }
  return table
}

function sample(table: NodeTable, at: number, temperatures: readonly number[]): void {
  const rows = temperatures.map((temperature, n) => ({
    node: `n${n}`,
    at,
    metrics: { temperature },
  }))
  table.load(samplesIpc(PROBE, rows))
  table.fold(OBSERVED)
}

const peersOf = (table: NodeTable): readonly number[] => {
  const width = table.featureNames.length
  const column = table.featureNames.indexOf('temperature.peers')
  const { count, matrix } = table.rows()
  return Array.from({ length: count }, (_, row) => matrix[row * width + column])
}

describe('bins', () => {
  test.each([
    { value: -60, expected: 0, because: 'below the bounds is the first bin' },
    { value: -50, expected: 0, because: 'the lower bound is in the first bin' },
    { value: 50, expected: 32, because: 'the middle opens the upper half' },
    { value: 150, expected: 63, because: 'the upper bound is in the last bin' },
  ])('$value of -50..150 is in bin $expected: $because', ({ value, expected }) => {
    expect(binOf(value, -50, 150)).toBe(expected)
  })

  test('a percentile is the share below plus half of the own bin; nobody counted is missing', () => {
    const shares = percentiles(counts([3, 1], [10, 2], [11, 1]))
    expect([shares[0], shares[3], shares[10], shares[11], shares[63]]).toEqual([
      0, 0.125, 0.5, 0.875, 1,
    ])
    expect(percentiles(counts())[5]).toBeNaN()
  })
})

describe('counting', () => {
  test('hands out the windows that are complete, once, and sums come out the same either way', () => {
    const all = new CohortCounter([metric('x', { min: 0, max: 64 })])
    const [left, right] = [
      new CohortCounter([metric('x', { min: 0, max: 64 })]),
      new CohortCounter([metric('x', { min: 0, max: 64 })]),
    ]
    for (const [n, value] of [3, 3, 7, 60, Number.NaN].entries()) {
      all.add(cohort, 1, [value])
      ;(n % 2 === 0 ? left : right).add(cohort, 1, [value])
    }
    all.add(cohort, 2, [1])
    const [whole] = all.drain(2)
    expect(whole).toEqual({ ...cohort, window: 1, metrics: { x: counts([3, 2], [7, 1], [60, 1]) } })
    expect(mergeCohorts(left.drain(2)[0], right.drain(2)[0])).toEqual(whole)
    expect(all.drain(2)).toEqual([])
  })

  test('a table counts its grid rows by the window of their time', () => {
    const table = joined(['n0', 'n1'])
    sample(table, 5 * MINUTE, [20, 90])
    table.advance(5 * MINUTE)
    table.clearRows()
    expect(table.cohortCounts()).toEqual([])
    table.advance(6 * MINUTE)
    table.clearRows()
    const temperature = counts([binOf(20, -50, 150), 1], [binOf(90, -50, 150), 1])
    expect(table.cohortCounts()).toEqual([{ ...cohort, window: 5, metrics: { temperature } }])
  })
})

describe('the place among peers', () => {
  const window = (w: number, ...pairs: readonly (readonly [number, number])[]): CohortTable => ({
    ...cohort,
    window: w,
    metrics: { temperature: counts(...pairs) },
  })

  test('comes from the newest table at least two windows older, and is missing before', () => {
    const table = joined(['n0'])
    table.setCohortTable(window(5, [0, 3], [63, 1]))
    table.setCohortTable(window(6, [0, 1], [63, 3]))
    sample(table, 6 * MINUTE, [50])
    table.advance(9 * MINUTE)
    expect(peersOf(table)).toEqual([Number.NaN, 0.75, 0.25, 0.25])
  })

  test('is missing for a node that never joined, and for an older row than the tables kept', () => {
    const table = joined(['n0'])
    for (const w of [10, 11, 12, 13, 14, 3]) table.setCohortTable(window(w, [0, 1]))
    sample(table, 11 * MINUTE, [50, 50])
    table.advance(13 * MINUTE)
    const { count, node } = table.rows()
    const peers = peersOf(table)
    const byNode = (id: string) =>
      Array.from({ length: count }, (_, row) => row)
        .filter((row) => table.idOf(node[row]) === id)
        .map((row) => peers[row])
    expect(byNode('n0')).toEqual([Number.NaN, Number.NaN, 1])
    expect(byNode('n1')).toEqual([Number.NaN, Number.NaN, Number.NaN])
  })
})
