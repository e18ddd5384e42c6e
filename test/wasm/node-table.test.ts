// Goal: the kernels that fold samples and make rows agree with their readable twin.
// Method: random programs with hostile values and times on both; every row equal to the last bit.
import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { healthOf } from '../../src/state/health.ts'
import { ReferenceNodeTable } from '../../src/state/reference.ts'
import { metric, PROBE, samplesIpc } from '../support/node-class.ts'
import {
  newTable,
  OBSERVED,
  programs,
  programsOf,
  runOnReference,
  runOnTable,
  times,
} from '../support/node-program.ts'
import type { NodeClass } from '../../src/core/node.ts'

const FROM_FIRST: NodeClass = { ...PROBE, gridOrigin: 'first-sample' }
const KINDS = ['gauge', 'signal', 'counter', 'gauge', 'code'] as const

/** Metrics of every kind in every position among the four that are folded at once; some have bounds. */
function classOf(metrics: number): NodeClass {
  return {
    ...PROBE,
    metrics: Array.from({ length: metrics }, (_, n) =>
      metric(`m${n}`, { kind: KINDS[n % KINDS.length], min: n % 3 === 0 ? -50 : null }),
    ),
  }
}

/** Years between samples, up to the last time there is and beyond it. */
const farTimes = fc.oneof(
  fc.integer({ min: 0, max: 4e12 }),
  fc.integer({ min: 0, max: 100 }).map((days) => days * 86_400_000),
  fc.constantFrom(2 ** 32 - 1, 2 ** 32, 2 ** 47 - 1, 2 ** 47, 1 - 2 ** 47, -(2 ** 47), 8.64e15),
)

describe.each([
  { origin: 'epoch', nodeClass: PROBE },
  { origin: 'first sample', nodeClass: FROM_FIRST },
])('grid from the $origin', ({ nodeClass }) => {
  test.prop([programs], { numRuns: 60, seed: 1 })(
    'rows equal the reference bit by bit',
    (program) => {
      const [table, reference] = [newTable(nodeClass), new ReferenceNodeTable(nodeClass)]
      expect(runOnTable(table, program, nodeClass)).toEqual(runOnReference(reference, program))
      expect(table.counts()).toMatchObject(reference.counts)
      expect(table.nodeCount).toBe(reference.nodeCount)
    },
  )
})

describe.each([1, 4, 5, 16, 17, 64])('a class of %i metrics', (count) => {
  const nodeClass = classOf(count)
  const metrics = nodeClass.metrics.map(({ name }) => name)
  test.prop([programsOf({ metrics, times })], { numRuns: count > 17 ? 15 : 40, seed: 8 })(
    'has the rows, missing ratios and counts of the reference',
    (program) => {
      const [table, reference] = [newTable(nodeClass), new ReferenceNodeTable(nodeClass)]
      expect(runOnTable(table, program, nodeClass)).toEqual(runOnReference(reference, program))
      expect(table.counts()).toMatchObject(reference.counts)
      for (let index = 0; index < table.indexCount; index++) {
        const id = table.idOf(index)
        if (table.indexOf(id) !== index) continue
        for (const m of metrics.keys()) {
          expect(table.missingRatio(index, m)).toBe(reference.missingRatio(id, m))
        }
      }
    },
  )
})

test.prop([programsOf({ metrics: ['m0', 'm1', 'm2', 'm3', 'm4'], times: farTimes })], {
  numRuns: 100,
  seed: 9,
})('times are exact over thousands of years; what is beyond is rejected', (program) => {
  const days = [7, 30, 90].map((n) => n * 86_400_000) as [number, number, number]
  const nodeClass = { ...classOf(5), halfLivesMs: days, predictionIntervalMs: 1e15 }
  const [table, reference] = [newTable(nodeClass), new ReferenceNodeTable(nodeClass)]
  expect(runOnTable(table, program, nodeClass)).toEqual(runOnReference(reference, program))
  expect(table.counts()).toMatchObject(reference.counts)
})

test.prop([programs, fc.constantFrom(0.5, 1, 3)], { numRuns: 200, seed: 10 })(
  'between grid times only nodes that leave their past have rows',
  (program, deviationsMin) => {
    const [table, reference] = [newTable(), new ReferenceNodeTable(PROBE)]
    const rows = runOnTable(table, program, PROBE, deviationsMin)
    expect(rows).toEqual(runOnReference(reference, program, deviationsMin))
  },
)

test('a jump is told at once, and that it is over, and nothing of the calm before and after', () => {
  const table = newTable()
  const told: number[] = []
  for (let i = 0; i < 80; i++) {
    const temperature = (i === 60 ? 90 : 50) + (i % 2)
    table.load(samplesIpc(PROBE, [{ node: 'a', at: 1_000 * (i + 1), metrics: { temperature } }]))
    table.fold(OBSERVED)
    table.emitChanged(0, 4)
    const { count, trigger } = table.rows()
    if (trigger.subarray(0, count).includes(1)) told.push(i)
    table.clearRows()
  }
  // For three of the shortest half-lives it is new, and told of at every sample.
  expect(told).toEqual([...Array.from({ length: 31 }, (_, i) => i), 60, 61])
})

test('a node that stands still for a thousand half-lives is as the reference has it, every hour', () => {
  const [table, reference] = [newTable(), new ReferenceNodeTable(PROBE)]
  const still = { temperature: 0, bytes: 5, status: 1, latency: 1e-30 }
  const rows = [
    { node: 'a', at: 0, metrics: { temperature: 149, bytes: 1, status: 0, latency: 1e18 } },
    ...Array.from({ length: 200 }, (_, n) => ({ node: 'a', at: 50_000 * (n + 1), metrics: still })),
  ]
  const program = [
    { kind: 'samples', rows },
    { kind: 'advance', nowMs: 12_000_000 },
  ] as const
  expect(runOnTable(table, program)).toEqual(runOnReference(reference, program))
  table.load(samplesIpc(PROBE, [{ node: 'a', at: 12_000_001, metrics: still }]))
  table.fold(OBSERVED)
  table.emitChanged(0)
  const row = table.rows().matrix
  const [residual, deviation] = ['residual.10s', 'deviation.10s'].map((what) =>
    table.featureNames.indexOf(`temperature.${what}`),
  )
  expect([row[residual], row[deviation]]).toEqual([0, 0])
})

test.prop([programs], { numRuns: 40, seed: 2 })(
  'health and missing ratios equal the reference (health within 1e-6: the kernel works in float32)',
  (program) => {
    const [table, reference] = [newTable(), new ReferenceNodeTable(PROBE)]
    runOnTable(table, program)
    runOnReference(reference, program)
    const health = table.health()
    for (let index = 0; index < table.indexCount; index++) {
      const id = table.idOf(index)
      if (table.indexOf(id) !== index) continue
      const values = reference.valuesOf(id)
      const expected = values === undefined ? Number.NaN : healthOf(PROBE.metrics, values)
      if (values === undefined) expect(health[index]).toBeNaN()
      else expect(health[index]).toBeCloseTo(expected, 6)
      expect(table.healthOf(index)).toBe(health[index])
      for (const metric of PROBE.metrics.keys()) {
        expect(table.missingRatio(index, metric)).toBe(reference.missingRatio(id, metric))
      }
    }
  },
)
