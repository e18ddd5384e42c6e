// Node ids to slots: open addressing over UTF-8 bytes. Ids live in blocks of 16 to 512 bytes with a
// free list per size, so nodes that come and go leave no hole. A look-up reads two lines of memory
// that are not in the cache, the entry (u32 hash, u32 block) and the block, and never the node's tile:
//
//   block   u32 node and, in the top byte, length - 1; then the id
//
// Reference: a Map, in test/property.
import { ID_HASH, ID_LENGTH, ID_POINTER, NO_NODE, allocate, fieldOf } from './layout'

export const ID_BYTES_MAX: u32 = 256
const ARENA_BYTES: u32 = 16384

const ENTRY_SHIFT: u32 = 3
const HEADER_BYTES: u32 = 4
const NODE_MASK: u32 = 0xffffff
const LENGTH_SHIFT: u32 = 24

/** Free lists of the block sizes 16 to 512; a free block begins with the next one's address. */
const FREE: usize = memory.data(6 * 4, 16)
/** Where JavaScript leaves one id, and the 3 bytes a last word may read past it. */
const SCRATCH: usize = memory.data(256 + 16, 16)

let slots: usize = 0
let slotCount: u32 = 0
let entryCount: u32 = 0
let arena: usize = 0
let arenaEnd: usize = 0

export function idScratchPointer(): u32 {
  return <u32>SCRATCH
}

export function hashOf(bytes: usize, length: u32): u32 {
  let h: u32 = length * 0x9e3779b1
  let i: u32 = 0
  for (; i + 4 <= length; i += 4) {
    h = (h ^ load<u32>(bytes + i)) * 0x85ebca6b
    h ^= h >>> 15
  }
  for (; i < length; i++) {
    h = (h ^ load<u8>(bytes + i)) * 0xc2b2ae35
    h ^= h >>> 13
  }
  h = (h ^ (h >>> 16)) * 0x7feb352d
  return h ^ (h >>> 15)
}

/** Slot of the id of 1 to 256 bytes, or NO_NODE. */
export function findId(bytes: usize, length: u32, hash: u32): u32 {
  if (slotCount == 0) return NO_NODE
  const mask = slotCount - 1
  let entry = slots + ((hash & mask) << ENTRY_SHIFT)
  const end = slots + (slotCount << ENTRY_SHIFT)
  let block = <usize>load<u32>(entry, 4)
  while (block != 0) {
    if (load<u32>(entry) == hash) {
      const header = load<u32>(block)
      const same = header >>> LENGTH_SHIFT == length - 1
      if (same && equal(block + HEADER_BYTES, bytes, length)) return header & NODE_MASK
    }
    entry += 8
    if (entry == end) entry = slots
    block = <usize>load<u32>(entry, 4)
  }
  return NO_NODE
}

/** Where a look-up begins; 0 while the table is empty. */
export function firstEntry(hash: u32): usize {
  return slotCount == 0 ? 0 : entryAt(hash & (slotCount - 1))
}

/** Whole words, of which the last overlaps the one before. */
function equal(a: usize, b: usize, length: usize): bool {
  if (length >= 8) {
    for (let i: usize = 8; i < length; i += 8) {
      if (load<u64>(a + i - 8) != load<u64>(b + i - 8)) return false
    }
    return load<u64>(a + length - 8) == load<u64>(b + length - 8)
  }
  for (let i: usize = 0; i < length; i++) if (load<u8>(a + i) != load<u8>(b + i)) return false
  return true
}

/** Stores the id of a slot that is not in the table. */
export function insertId(node: u32, bytes: usize, length: u32, hash: u32): void {
  if ((entryCount + 1) * 2 > slotCount) growSlots()
  const block = takeBlock(length)
  store<u32>(block, node | ((length - 1) << LENGTH_SHIFT))
  memory.copy(block + HEADER_BYTES, bytes, length)
  store<u32>(fieldOf(node, ID_POINTER), <u32>block + HEADER_BYTES)
  store<u32>(fieldOf(node, ID_LENGTH), length)
  store<u32>(fieldOf(node, ID_HASH), hash)
  place(<u32>block, hash)
  entryCount++
}

/** Forgets the id; its bytes stay readable until `freeId`. */
export function removeId(node: u32): void {
  const mask = slotCount - 1
  const block = load<u32>(fieldOf(node, ID_POINTER)) - HEADER_BYTES
  let hole = load<u32>(fieldOf(node, ID_HASH)) & mask
  while (load<u32>(entryAt(hole), 4) != block) hole = (hole + 1) & mask
  // Moves later entries back over the hole, so that no probe meets a gap and no tombstone is needed.
  for (let s = (hole + 1) & mask; ; s = (s + 1) & mask) {
    const entry = load<u64>(entryAt(s))
    if (entry == 0) break
    const home = <u32>entry & mask
    if (((s - home) & mask) >= ((s - hole) & mask)) {
      store<u64>(entryAt(hole), entry)
      hole = s
    }
  }
  store<u64>(entryAt(hole), 0)
  entryCount--
}

export function freeId(node: u32): void {
  const block = <usize>(load<u32>(fieldOf(node, ID_POINTER)) - HEADER_BYTES)
  const list = FREE + sizeClass(load<u32>(fieldOf(node, ID_LENGTH))) * 4
  store<u32>(block, load<u32>(list))
  store<u32>(list, <u32>block)
  store<u32>(fieldOf(node, ID_LENGTH), 0)
}

function entryAt(slot: u32): usize {
  return slots + (slot << ENTRY_SHIFT)
}

/** The hash is the lower word, so that both are read and moved as one. An entry of 0 is free. */
function place(block: u32, hash: u32): void {
  const mask = slotCount - 1
  let s = hash & mask
  while (load<u64>(entryAt(s)) != 0) s = (s + 1) & mask
  store<u32>(entryAt(s), hash)
  store<u32>(entryAt(s), block, 4)
}

function growSlots(): void {
  const old = slots
  const oldCount = slotCount
  slotCount = oldCount == 0 ? 1024 : oldCount * 2
  slots = allocate(slotCount << ENTRY_SHIFT)
  for (let s: u32 = 0; s < oldCount; s++) {
    const entry = old + (s << ENTRY_SHIFT)
    if (load<u64>(entry) != 0) place(load<u32>(entry, 4), load<u32>(entry))
  }
}

function sizeClass(length: u32): u32 {
  let size: u32 = 0
  while ((<u32>16) << size < length + HEADER_BYTES) size++
  return size
}

function takeBlock(length: u32): usize {
  const size = sizeClass(length)
  const list = FREE + size * 4
  const free = <usize>load<u32>(list)
  if (free != 0) {
    store<u32>(list, load<u32>(free))
    return free
  }
  const bytes: u32 = (<u32>16) << size
  if (arena + bytes > arenaEnd) {
    arena = allocate(ARENA_BYTES)
    arenaEnd = arena + ARENA_BYTES
  }
  const block = arena
  arena += bytes
  return block
}
