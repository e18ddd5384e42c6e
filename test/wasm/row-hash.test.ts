// Goal: the kernel's fingerprints of rows are those of its readable twin.
// Method: hostile programs, and row counts around the four that are hashed at once; every word equal.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { hashText, rowHash } from '../../src/state/row-hash.ts'
import { metric, PROBE, samplesIpc } from '../support/node-class.ts'
import { newTable, OBSERVED, programs } from '../support/node-program.ts'
import type { NodeTable } from '../../src/state/node-table.ts'

function expectSameHashes(table: NodeTable): void {
  const { count, matrix, hash } = table.rows()
  const width = table.featureNames.length
  const words = new Uint32Array(matrix.buffer, matrix.byteOffset, matrix.length)
  expect(hash.length).toBe(count * 2)
  for (let row = 0; row < count; row++) {
    const text = hashText(hash[row * 2], hash[row * 2 + 1])
    expect(text).toBe(rowHash(words, row * width, width))
  }
}

test.prop([programs], { numRuns: 40, seed: 10 })(
  'rows have the hashes of the reference',
  (program) => {
    const table = newTable()
    for (const step of program) {
      if (step.kind !== 'samples') continue
      table.load(samplesIpc(PROBE, step.rows))
      while (!table.fold(OBSERVED)) table.clearRows()
      table.emitChanged(0)
      expectSameHashes(table)
    }
  },
)

test.prop([fc.integer({ min: 0, max: 9 }), fc.integer({ min: 1, max: 6 })], { numRuns: 60 })(
  'however many rows and features there are',
  (rows, metrics) => {
    const nodeClass = {
      ...PROBE,
      metrics: Array.from({ length: metrics }, (_, n) => metric(`m${n}`)),
    }
    const table = newTable(nodeClass, 9)
    const samples = Array.from({ length: rows }, (_, n) => ({
      node: `n${n}`,
      at: 60_000,
      metrics: { m0: n },
    }))
    table.load(samplesIpc(nodeClass, samples))
    table.fold(OBSERVED)
    table.emitChanged(0)
    expect(table.rows().count).toBe(rows)
    expectSameHashes(table)
  },
)
