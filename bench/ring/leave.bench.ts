/** A node leaves the ring: the time until keys find their new owners, and who else loses keys. */
import { loadKernel } from '../../src/commands/package.ts'
import { ringKeys } from '../../src/core/ring.ts'
import { Ring } from '../../src/state/ring.ts'
import type { Bench, BenchRow, Times } from '../bench.ts'
import { ratioRow, timed } from '../bench.ts'
import { NODE_NAMES, npmRing, ringOf } from './rings.ts'

const KEYS = 100_000
const LEAVER = NODE_NAMES[500]
/** Fleet of the failed node: it holds a twentieth of two million shards. */
const FLEET = 20
const SHARDS = 2_000_000

export const bench: Bench = {
  name: 'ring leave',
  run: async ({ quick }) => {
    const kernel = await loadKernel()
    const rounds = quick ? 3 : 9
    return [...leaveRows(kernel, rounds), ...failureRows(kernel, quick ? 1 : 3)]
  },
}

function leaveRows(kernel: WebAssembly.Module, rounds: number): readonly BenchRow[] {
  const ring = ringOf(kernel)
  const rival = npmRing()
  const keys = ringKeys(Array.from({ length: KEYS }, (_, i) => `key:${i}`))
  const before = ring.owners(keys)
  const times = { ours: [] as number[], hashring: [] as number[] }
  for (let round = 0; round < rounds + 1; round++) {
    const ours = timed(() => ring.change({ leave: [LEAVER] }))
    const theirs = timed(() => rival.remove(LEAVER))
    // The first round warms up.
    if (round > 0) {
      times.ours.push(ours)
      times.hashring.push(theirs)
    }
    if (round === rounds) break
    ring.change({ join: [{ node: LEAVER, weight: 1, zone: null }] })
    rival.add({ [LEAVER]: { vnodes: 256 } })
  }
  const after = ring.owners(keys)
  let [collateral, moved] = [0, 0]
  for (let key = 0; key < KEYS; key++) {
    if (ring.nodeAt(before[key]) === ring.nodeAt(after[key])) continue
    moved++
    if (ring.nodeAt(before[key]) !== LEAVER) collateral++
  }
  return [
    ratioRow('a node leaves a ring of 1,000', 'npm hashring', times satisfies Times, {
      ours: 'ours',
      rival: 'hashring',
      reach: 40,
    }),
    {
      what: 'keys of other nodes that move when it leaves',
      against: null,
      value: collateral,
      reach: '0',
      ok: collateral === 0 && moved > 0,
      figures: { moved, keys: KEYS },
    },
  ]
}

function failureRows(kernel: WebAssembly.Module, rounds: number): readonly BenchRow[] {
  const keys = ringKeys(Array.from({ length: SHARDS }, (_, i) => `shard-${i}`))
  const times: number[] = []
  let moves = 0
  for (let round = 0; round < rounds; round++) {
    const members = NODE_NAMES.slice(0, FLEET).map((node) => ({ node, weight: 1, zone: null }))
    const ring = new Ring(kernel, members)
    const { placement } = ring.place(keys)
    times.push(
      timed(() => {
        moves = ring.plan(placement, { leave: ['node-7'] }).moves.length
      }),
    )
  }
  const ms = times.toSorted((a, b) => a - b)[times.length >> 1]
  const held = moves.toLocaleString('en-US')
  return [
    {
      what: `a failed node's ${held} shards of 2 million get new owners within the bound, ms`,
      against: null,
      value: ms,
      reach: '< 1000',
      ok: ms < 1_000 && moves > SHARDS / FLEET / 2,
    },
  ]
}
