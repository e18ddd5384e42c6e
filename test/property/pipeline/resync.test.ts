// Goal: any cut, any changes on both sides and any order of what travels end in what the log says, and a block
// that could not be compared is never said to agree.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { type ResyncWorldOptions, seeResync } from '../../../src/simulate/resync-world.ts'
import { foreshockWasm } from '../../support/node-class.ts'

const kernel = foreshockWasm()
const ratio = (max: number) => fc.double({ min: 0, max, noNaN: true })

const worlds = fc.record<Omit<ResyncWorldOptions, 'kernel'>>({
  seed: fc.nat(),
  nodeCount: fc.integer({ min: 10, max: 24 }),
  workloadsPerNode: fc.integer({ min: 0, max: 12 }),
  apartRatio: fc.double({ min: 0.2, max: 0.45, noNaN: true }),
  changedRatio: ratio(1),
  merge: fc.constantFrom('last-writer', 'majority'),
  faults: fc.record({
    lostRatio: fc.oneof(fc.constant(0), ratio(0.9)),
    damagedRatio: fc.oneof(fc.constant(0), ratio(0.9)),
    repeatedRatio: ratio(1),
    lateRatio: fc.oneof(fc.constant(0), ratio(1)),
    killedAfter: fc.uniqueArray(fc.integer({ min: 1, max: 20 }), { maxLength: 2 }),
  }),
})

test.prop([worlds], { numRuns: 40 })(
  'what is verified is what the log says, and every block ends',
  (world) => {
    const { figures, apartFromLog, refoldedEqual } = seeResync({ ...world, kernel }, () => 0)
    const { running, blockCount, verifiedCount, unverifiedCount } = figures
    expect({ running, refoldedEqual }).toEqual({ running: false, refoldedEqual: true })
    expect(verifiedCount + unverifiedCount).toBe(blockCount)
    // A node has one block here at least for each difference.
    expect(apartFromLog.length).toBeLessThanOrEqual(unverifiedCount)
    const { lostRatio, damagedRatio, lateRatio } = world.faults
    if (lostRatio + damagedRatio + lateRatio === 0) expect(unverifiedCount).toBe(0)
  },
)
