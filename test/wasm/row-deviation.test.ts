// Goal: the kernel's deviations of rows are those of its readable twin.
// Method: hostile programs of samples; deviation and metric of every row equal, in float32.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { rowDeviation } from '../../src/state/row-deviation.ts'
import { PROBE, samplesIpc } from '../support/node-class.ts'
import { newTable, OBSERVED, programs } from '../support/node-program.ts'
import type { NodeTable } from '../../src/state/node-table.ts'

function expectSame(table: NodeTable): void {
  const { count, matrix, deviation } = table.rows()
  const width = table.featureNames.length
  for (let row = 0; row < count; row++) {
    const expected = rowDeviation(PROBE, matrix.subarray(row * width, (row + 1) * width))
    expect(deviation.getFloat32(row * 8, true)).toBe(expected.deviation)
    expect(deviation.getUint32(row * 8 + 4, true)).toBe(expected.metric)
  }
}

test.prop([programs], { numRuns: 40, seed: 12 })(
  'rows have the deviations of the reference',
  (program) => {
    const table = newTable()
    for (const step of program) {
      if (step.kind !== 'samples') continue
      table.load(samplesIpc(PROBE, step.rows))
      while (!table.fold(OBSERVED)) table.clearRows()
      table.emitChanged(0)
      expectSame(table)
    }
  },
)

test.prop([fc.integer({ min: 1, max: 20 })], { numRuns: 20 })(
  'a metric that jumps is named, whatever went before',
  (before) => {
    const table = newTable()
    for (let i = 0; i <= before; i++) {
      const latency = i < before ? 10 + (i % 2) : 80
      const rows = [{ node: 'a', at: 1_000 * (i + 1), metrics: { temperature: 50, latency } }]
      table.load(samplesIpc(PROBE, rows))
      table.fold(OBSERVED)
    }
    table.emitChanged(0)
    const { count, deviation } = table.rows()
    expect(count).toBe(1)
    expect(deviation.getUint32(4, true)).toBe(3)
    expect(deviation.getFloat32(0, true)).toBeGreaterThan(3)
  },
)
