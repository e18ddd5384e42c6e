// Goal: the kernels that fold samples and make rows agree with their readable twin.
// Method: random programs with hostile values and times on both; every row equal to the last bit.
import { test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { healthOf } from '../../src/state/health.ts'
import { ReferenceNodeTable } from '../../src/state/reference.ts'
import { PROBE } from '../support/node-class.ts'
import { newTable, programs, runOnReference, runOnTable } from '../support/node-program.ts'
import type { NodeClass } from '../../src/core/node.ts'

const FROM_FIRST: NodeClass = { ...PROBE, gridOrigin: 'first-sample' }

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
