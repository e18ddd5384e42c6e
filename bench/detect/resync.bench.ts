/** The end of a network partition: blocks a second that agents and the log agree on, of a large fleet. */
import { seeResync } from '../../src/simulate/resync-world.ts'
import { foreshockWasm } from '../../test/support/node-class.ts'
import type { Bench, BenchRow } from '../bench.ts'

const BLOCKS_PER_SECOND_MIN = 100
/** Of the workloads, for each kind of change. */
const CHANGED_RATIO = 0.05
/** What is lost on the way is asked for again after seconds, which would be all that is measured. */
const FAULTS = { lostRatio: 0, damagedRatio: 0, repeatedRatio: 0, lateRatio: 0, killedAfter: [] }

export const bench: Bench = {
  name: 'resynchronisation',
  run: ({ quick }) => {
    const nodeCount = quick ? 2_500 : 5_000
    const size = { nodeCount, workloadsPerNode: 20, apartRatio: 0.4, changedRatio: CHANGED_RATIO }
    const seen = seeResync(
      { kernel: foreshockWasm(), seed: 1, ...size, merge: 'last-writer', faults: FAULTS },
      () => performance.now(),
    )
    const { blockCount, verifiedCount, unverifiedCount } = seen.figures
    const ok = unverifiedCount === 0 && seen.apartFromLog.length === 0
    const what = `blocks of ${blockCount}`
    return Promise.resolve([
      row(`${what} verified a second of the log's time`, verifiedCount / seen.lastedS, ok),
      row(`${what} verified a second of processing`, (1e3 * verifiedCount) / seen.workedMs, ok),
    ])
  },
}

function row(what: string, perSecond: number, ok: boolean): BenchRow {
  return {
    what,
    against: null,
    value: perSecond,
    reach: `>= ${BLOCKS_PER_SECOND_MIN}`,
    ok: ok && perSecond >= BLOCKS_PER_SECOND_MIN,
  }
}
