/**
 * The binding to the ring's kernels: one WebAssembly instance a ring, laid out here. Regions grow by
 * doubling and are then elsewhere, so addresses and views are asked for at each use.
 */
import { assert } from '../core/errors.ts'

type Call = (...args: readonly number[]) => number

const CALLS = [
  'ringHash',
  'ringPositions',
  'ringPoints',
  'ringMerge',
  'ringSubtract',
  'ringIndex',
  'ringOwners',
  'ringFirst',
  'ringMembers',
  'ringReplicas',
  'ringPlan',
  'ringDeferred',
  'ringUnplaced',
  'ringExcess',
] as const

export type RingKernel = Readonly<Record<(typeof CALLS)[number], Call>>

const PAGE_BYTES = 65_536
const PAGES_MAX = 65_536
/** Kernels keep their static data below this. */
const STATIC_BYTES = 1 << 20

export type RegionName =
  | 'points'
  | 'nextPoints'
  | 'fresh'
  | 'spare'
  | 'counters'
  | 'buckets'
  | 'entries'
  | 'seeds'
  | 'zones'
  | 'capacities'
  | 'loads'
  | 'zoneRooms'
  | 'keys'
  | 'offsets'
  | 'owners'
  | 'positions'
  | 'placement'
  | 'before'
  | 'after'
  | 'moves'

interface Region {
  readonly at: number
  readonly byteCount: number
}

export class RingMemory {
  readonly kernel: RingKernel
  readonly #memory = new WebAssembly.Memory({ initial: STATIC_BYTES / PAGE_BYTES })
  readonly #regions = new Map<RegionName, Region>()
  #top = STATIC_BYTES

  constructor(module: WebAssembly.Module) {
    const abort = (): never => assert(false, 'a kernel aborted') as never
    const env = { memory: this.#memory, abort }
    const { exports } = new WebAssembly.Instance(module, { env })
    for (const name of CALLS) {
      assert(typeof exports[name] === 'function', `foreshock.wasm has no ${name}: build it anew`)
    }
    this.kernel = exports as unknown as RingKernel
  }

  /** Address of a region with at least so many bytes; what was in it stays. */
  room(name: RegionName, byteCount: number): number {
    const old = this.#regions.get(name)
    if (old !== undefined && old.byteCount >= byteCount) return old.at
    const size = Math.max(byteCount, 2 * (old?.byteCount ?? 0), 64)
    const at = Math.ceil(this.#top / 64) * 64
    const pageCount = Math.ceil((at + size) / PAGE_BYTES)
    assert(pageCount < PAGES_MAX, 'limits of members and keys keep a ring within 4 GiB')
    const missing = pageCount - this.#memory.buffer.byteLength / PAGE_BYTES
    if (missing > 0) this.#memory.grow(missing)
    this.#top = at + size
    if (old !== undefined) this.bytes().copyWithin(at, old.at, old.at + old.byteCount)
    this.#regions.set(name, { at, byteCount: size })
    return at
  }

  /** Two regions change names. */
  swap(one: RegionName, other: RegionName): void {
    const [a, b] = [this.#regions.get(one), this.#regions.get(other)]
    assert(a !== undefined && b !== undefined)
    this.#regions.set(one, b)
    this.#regions.set(other, a)
  }

  /** Valid until the next call of `room`. */
  bytes(): Uint8Array {
    return new Uint8Array(this.#memory.buffer)
  }

  words(at: number, count: number): Uint32Array {
    return new Uint32Array(this.#memory.buffer, at, count)
  }

  /** A region as words, `count` of them. */
  region(name: RegionName, count: number): Uint32Array {
    return this.words(this.room(name, count * 4), count)
  }

  /** Copies in; the address. */
  write(name: RegionName, words: Uint32Array): number {
    const at = this.room(name, words.byteLength)
    this.words(at, words.length).set(words)
    return at
  }
}
