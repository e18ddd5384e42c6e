/**
 * Kernels of the consistent-hash ring. src/state/ring.ts lays out the memory and holds the names;
 * reference: src/core/ring.ts, equal to the last bit.
 *
 * A point is one u64: its position in the upper half, the index of its node in the lower. The ring is
 * the points in order of position (of one position: in order of their nodes' seeds, so that the order
 * of joining does not matter) and two sentinels at the end, which lead back to the first point: a
 * search looks at two points at once. Where it begins stands in `buckets`: for each prefix of a position
 * the address of the first point at or after it.
 */

const K1: u64 = 0x9e3779b185ebca87
const K2: u64 = 0xc2b2ae3d27d4eb4f
const K3: u64 = 0xff51afd7ed558ccd
let ring: usize = 0
let pointCount: u32 = 0
let buckets: usize = 0
let shift: u32 = 0

function mix(x: u64): u64 {
  let h = x
  h ^= h >> 32
  h *= K3
  h ^= h >> 29
  h *= K2
  return h ^ (h >> 32)
}

function step(h: u64, word: u64): u64 {
  return rotl<u64>(h ^ (word * K1), 29) * K2
}

/** Words of 8 bytes; the last one overlaps the one before it, and a short key is one padded word. */
function hashBytes(bytes: usize, length: u32): u64 {
  let h: u64 = <u64>length * K1
  if (length >= 8) {
    const last = bytes + length - 8
    for (let at = bytes; at < last; at += 8) h = step(h, load<u64>(at))
    return mix(step(h, load<u64>(last)))
  }
  let word: u64 = 0
  for (let i: u32 = 0; i < length; i++) word = (word << 8) | <u64>load<u8>(bytes + i)
  return mix(step(h, word))
}

/** A node's seed, or any key's whole hash, to `out`: a u64 does not cross as a number. */
export function ringHash(bytes: usize, length: u32, out: usize): void {
  store<u64>(out, hashBytes(bytes, length))
}

/**
 * Positions (u32) of `count` keys; key i is bytes `offsets[i]` to `offsets[i + 1]` of `keys`. The hash
 * is written out again here: a call per key would cost as much as the hash itself.
 */
export function ringPositions(keys: usize, offsets: usize, count: u32, out: usize): void {
  let at = keys + load<u32>(offsets)
  for (let o: usize = 0, end = (<usize>count) << 2; o < end; o += 4) {
    const next = keys + load<u32>(offsets + o, 4)
    let h: u64 = <u64>(next - at) * K1
    if (next - at >= 8) {
      const last = next - 8
      for (; at < last; at += 8) h = rotl<u64>(h ^ (load<u64>(at) * K1), 29) * K2
      h = rotl<u64>(h ^ (load<u64>(last) * K1), 29) * K2
      h ^= h >> 32
      h *= K3
      h ^= h >> 29
      h *= K2
      // The last step of `mix` leaves the upper half as it is.
      store<u32>(out + o, <u32>(h >> 32))
    } else {
      store<u32>(out + o, <u32>(hashBytes(at, <u32>(next - at)) >> 32))
    }
    at = next
  }
}

/**
 * The points of `entryCount` entries (u32 node, first virtual node, end), sorted, to `points`; how
 * many. Entries stand in order of their nodes' seeds: sorting is stable, which orders equal positions.
 */
export function ringPoints(
  entries: usize,
  entryCount: u32,
  seeds: usize,
  points: usize,
  spare: usize,
  counters: usize,
): u32 {
  let end = points
  for (let e: usize = 0; e < <usize>entryCount; e++) {
    const node = load<u32>(entries + e * 12)
    const seed = load<u64>(seeds + ((<usize>node) << 3))
    const to = <u64>load<u32>(entries + e * 12, 8)
    for (let j = <u64>load<u32>(entries + e * 12, 4); j < to; j++) {
      store<u64>(end, (mix(seed + j * K1) & 0xffffffff00000000) | <u64>node)
      end += 8
    }
  }
  const bytes = end - points
  let source = points
  let target = spare
  for (let bit: u64 = 32; bit < 64; bit += 8) {
    sortByte(source, bytes, target, bit, counters)
    const swap = source
    source = target
    target = swap
  }
  return <u32>(bytes >> 3)
}

function sortByte(source: usize, bytes: usize, target: usize, bit: u64, counters: usize): void {
  memory.fill(counters, 0, 1024)
  for (let o: usize = 0; o < bytes; o += 8) {
    const counter = counters + ((<usize>(load<u64>(source + o) >> bit) & 255) << 2)
    store<u32>(counter, load<u32>(counter) + 1)
  }
  let sum: u32 = 0
  for (let o: usize = 0; o < 1024; o += 4) {
    const count = load<u32>(counters + o)
    store<u32>(counters + o, sum)
    sum += count
  }
  for (let o: usize = 0; o < bytes; o += 8) {
    const point = load<u64>(source + o)
    const counter = counters + ((<usize>(point >> bit) & 255) << 2)
    const at = load<u32>(counter)
    store<u32>(counter, at + 1)
    store<u64>(target + ((<usize>at) << 3), point)
  }
}

/** True where point `a` stands before point `b`. */
function precedes(a: u64, b: u64, seeds: usize): bool {
  if (a >> 32 != b >> 32) return a >> 32 < b >> 32
  return load<u64>(seeds + ((<usize>(<u32>a)) << 3)) < load<u64>(seeds + ((<usize>(<u32>b)) << 3))
}

/** Ring `from` and sorted new points become ring `to`; its end is marked. */
export function ringMerge(
  from: usize,
  count: u32,
  points: usize,
  newCount: u32,
  seeds: usize,
  to: usize,
): void {
  const fromEnd = from + ((<usize>count) << 3)
  const pointsEnd = points + ((<usize>newCount) << 3)
  let a = from
  let b = points
  let at = to
  while (a < fromEnd && b < pointsEnd) {
    const old = load<u64>(a)
    const fresh = load<u64>(b)
    if (precedes(fresh, old, seeds)) {
      store<u64>(at, fresh)
      b += 8
    } else {
      store<u64>(at, old)
      a += 8
    }
    at += 8
  }
  memory.copy(at, a, fromEnd - a)
  at += fromEnd - a
  memory.copy(at, b, pointsEnd - b)
  at += pointsEnd - b
  markEnd(to, at)
}

/** Takes sorted points, all of which it has, out of the ring, in place. */
export function ringSubtract(at: usize, count: u32, points: usize, goneCount: u32): void {
  const end = at + ((<usize>count) << 3)
  const pointsEnd = points + ((<usize>goneCount) << 3)
  let to = at
  let gone = points
  for (let a = at; a < end; a += 8) {
    const point = load<u64>(a)
    store<u64>(to, point)
    const drop = gone < pointsEnd && load<u64>(gone) == point
    gone += (<usize>drop) << 3
    to += (<usize>!drop) << 3
  }
  markEnd(at, to)
}

function markEnd(first: usize, end: usize): void {
  const sentinel = 0xffffffff00000000 | (load<u64>(first) & 0xffffffff)
  store<u64>(end, sentinel)
  store<u64>(end, sentinel, 8)
}

/** Makes this the ring that is searched; fills its 2^bits buckets. */
export function ringIndex(at: usize, count: u32, bucketsAt: usize, bits: u32): void {
  ring = at
  pointCount = count
  buckets = bucketsAt
  shift = 32 - bits
  const end = at + ((<usize>count) << 3)
  let point = at
  for (let b: u32 = 0; b < (<u32>1) << bits; b++) {
    const limit = (<u64>b) << (64 - <u64>bits)
    while (point < end && load<u64>(point) < limit) point += 8
    store<u32>(bucketsAt + ((<usize>b) << 2), <u32>point)
  }
}

/** Address of the first point at or after the position; the sentinels stop every search. */
export function ringPoint(position: u32): usize {
  let at = <usize>load<u32>(buckets + ((<usize>(position >> shift)) << 2))
  // Two steps without a branch serve most keys, and a wrong guess of the branch costs more than both.
  at += (<usize>(load<u32>(at, 4) < position)) << 3
  at += (<usize>(load<u32>(at, 4) < position)) << 3
  while (load<u32>(at, 4) < position) at += 8
  return at
}

/**
 * Positions, and then first points, of the keys that `ringOwners` works on together. Between blocks
 * the processor waits for what is under way, so they are as long as the nearest cache allows.
 */
const BLOCK: u32 = 2048
const BLOCK_POSITIONS: usize = memory.data(2048 * 4, 64)
const BLOCK_POINTS: usize = memory.data(2048 * 4, 64)

/**
 * Owners (u32) of `count` keys, straight from their bytes. Three short loops over a block, because a
 * short loop keeps more reads of buckets and points under way than one long one; each is a function of
 * its own, because a compiler that sees all three at once runs out of registers.
 */
export function ringOwners(keys: usize, offsets: usize, count: u32, out: usize): void {
  for (let first: u32 = 0; first < count; first += BLOCK) {
    const size = min(BLOCK, count - first)
    const o = (<usize>first) << 2
    ringPositions(keys, offsets + o, size, BLOCK_POSITIONS)
    ringFirstPoints(size)
    ringBlockOwners(size, out + o)
  }
}

/**
 * First points of the block's positions, four at a time: what is left over from an earlier block
 * behind them are positions too. Exported, as the next, so that neither is put into its caller.
 */
export function ringFirstPoints(count: u32): void {
  // Locals: a global would be read anew for every key.
  const firsts = buckets
  const bits = shift
  let points = BLOCK_POINTS
  const end = BLOCK_POSITIONS + ((<usize>count) << 2)
  for (let at = BLOCK_POSITIONS; at < end; at += 16, points += 16) {
    const a = firsts + ((<usize>(load<u32>(at) >> bits)) << 2)
    const b = firsts + ((<usize>(load<u32>(at, 4) >> bits)) << 2)
    const c = firsts + ((<usize>(load<u32>(at, 8) >> bits)) << 2)
    const d = firsts + ((<usize>(load<u32>(at, 12) >> bits)) << 2)
    store<u32>(points, load<u32>(a))
    store<u32>(points, load<u32>(b), 4)
    store<u32>(points, load<u32>(c), 8)
    store<u32>(points, load<u32>(d), 12)
  }
}

/** Owners of the block's keys, two at a time. */
export function ringBlockOwners(count: u32, out: usize): void {
  let positions = BLOCK_POSITIONS
  let points = BLOCK_POINTS
  const end = out + ((<usize>(count & ~1)) << 2)
  for (; out < end; out += 8, positions += 8, points += 8) {
    store<u32>(out, ownerFrom(<usize>load<u32>(points), load<u32>(positions)))
    store<u32>(out, ownerFrom(<usize>load<u32>(points, 4), load<u32>(positions, 4)), 4)
  }
  if (count & 1) store<u32>(out, ownerFrom(<usize>load<u32>(points), load<u32>(positions)))
}

/** One of a bucket's first two points serves most keys; to choose between them takes no branch. */
function ownerFrom(first: usize, position: u32): u32 {
  if (load<u32>(first, 12) < position) return ownerBeyond(first + 16, position)
  return select<u32>(load<u32>(first), load<u32>(first, 8), load<u32>(first, 4) >= position)
}

function ownerBeyond(from: usize, position: u32): u32 {
  let at = from
  while (load<u32>(at, 4) < position) at += 8
  return load<u32>(at)
}

/** Index of the key's first point, to walk on from; `pointCount` stands for 0. */
export function ringFirst(bytes: usize, length: u32): u32 {
  return <u32>((ringPoint(<u32>(hashBytes(bytes, length) >> 32)) - ring) >> 3)
}

/** The point after it, around the ring. */
export function ringNext(point: usize): usize {
  const after = point + 8
  return after >= ring + ((<usize>pointCount) << 3) ? ring : after
}
