/**
 * Owner of a key, from the key's bytes, on a ring of 1,000 nodes with 256 virtual nodes each. Ours is
 * `Ring.owners`, which copies keys into the kernel's memory and owners out of it, and, against the
 * same algorithm in Rust, whose keys lie in its own memory, also `Ring.stagedOwners`, which does not.
 */
import type HashRing from 'hashring'
import { ringKeys } from '../../src/core/ring.ts'
import type { RingKeys } from '../../src/core/ring.ts'
import type { Ring } from '../../src/state/ring.ts'
import { loadKernel } from '../../src/commands/package.ts'
import type { Bench, BenchContext, BenchRow, Times } from '../bench.ts'
import { alternate, alternateFastest, missingRow, ratioRow, timed } from '../bench.ts'
import { NODE_NAMES, npmRing, ringOf } from './rings.ts'
import { RustRival } from './rust-rival.ts'

const KEYS = 1_000_000
/** The npm ring looks up a share of the keys, and its time is scaled. */
const NPM_KEYS = 20_000
/** Over all keys, a round. */
const PASSES = 5
const WHAT = 'ring lookup from key bytes, 1,000 nodes'

export const bench: Bench = {
  name: 'ring lookup',
  run: async ({ quick }: BenchContext) => {
    const texts = Array.from({ length: KEYS }, (_, i) => `key:${String(i).padStart(12, '0')}`)
    const keys = ringKeys(texts)
    const ring = ringOf(await loadKernel())
    const owners = new Uint32Array(KEYS)
    const ours = (): unknown => ring.owners(keys, owners)
    const rounds = quick ? 5 : 15
    return [
      await againstNpm(ring, texts, ours, rounds),
      ...(await againstRust(ring, keys, owners, rounds)),
    ]
  },
}

async function againstNpm(
  ring: Ring,
  texts: readonly string[],
  ours: () => unknown,
  rounds: number,
): Promise<BenchRow> {
  const rival: HashRing = npmRing()
  const few = texts.slice(0, NPM_KEYS)
  for (const text of few.slice(0, 100)) {
    const known = NODE_NAMES.includes(rival.get(text)) && ring.has(ring.ownerOf(text)!)
    if (!known) throw new Error(`no owner of ${text}`)
  }
  const raw = await alternate(rounds, {
    ours,
    hashring: () => {
      for (const text of few) rival.get(text)
    },
  })
  const scaled = raw.hashring.map((ms) => (ms * KEYS) / NPM_KEYS)
  const times: Times = { ours: raw.ours, hashring: scaled }
  return ratioRow(WHAT, 'npm hashring', times, { ours: 'ours', rival: 'hashring', reach: 100 })
}

async function againstRust(
  ring: Ring,
  keys: RingKeys,
  owners: Uint32Array,
  rounds: number,
): Promise<readonly BenchRow[]> {
  const crate = { what: WHAT, against: 'Rust crate hashring', reach: 2 }
  const same = {
    what: `${WHAT}, keys staged by the caller`,
    against: 'Rust, same algorithm',
    reach: 0.9,
  }
  const rust = RustRival.build(KEYS)
  if (typeof rust === 'string') {
    return [crate, same].map(({ what, against, reach }) => missingRow(what, against, reach, rust))
  }
  try {
    stage(ring, keys)
    const expected = checksum(ring.stagedOwners(KEYS))
    if ((await rust.ask('same')).checksum !== expected) throw new Error('Rust names other owners')
    const ours = (): number => timed(() => ring.owners(keys, owners))
    const staged = (): number => timed(() => ring.stagedOwners(KEYS))
    // The program's own times leave the way between the processes out.
    const askSame = async (): Promise<number> => (await rust.ask('same')).ms
    const askCrate = async (): Promise<number> => (await rust.ask('crate')).ms
    // A crate's pass takes as long as twenty of ours: fewer rounds do.
    const crateTimes = await alternateFastest(3, 1, { ours, rust: askCrate })
    const copyTimes = await alternateFastest(rounds, PASSES, { ours, rust: askSame })
    // `ours` has taken the place of the staged keys.
    stage(ring, keys)
    const sameTimes = await alternateFastest(rounds, PASSES, { ours: staged, rust: askSame })
    const copyRow = ratioRow(`${WHAT}, keys and owners copied`, same.against, copyTimes, {
      ours: 'ours',
      rival: 'rust',
      reach: 0,
    })
    return [
      ratioRow(crate.what, crate.against, crateTimes, { ours: 'ours', rival: 'rust', reach: 2 }),
      ratioRow(same.what, same.against, sameTimes, { ours: 'ours', rival: 'rust', reach: 0.9 }),
      { ...copyRow, reach: null },
    ]
  } finally {
    rust.close()
  }
}

function stage(ring: Ring, keys: RingKeys): void {
  const { bytes, offsets } = ring.stage(keys.bytes.length, KEYS)
  bytes.set(keys.bytes)
  offsets.set(keys.offsets)
}

function checksum(owners: Uint32Array): number {
  return owners.reduce((sum, owner) => (Math.imul(sum, 31) + owner) >>> 0, 0)
}
