// Node ids to slots: open addressing over UTF-8 bytes. Ids live in blocks of 16 to 256 bytes with a
// free list per size, so nodes that come and go leave no hole. Reference: a Map, in test/property.
import { ID_HASH, ID_LENGTH, ID_POINTER, NO_NODE, allocate, field32 } from './layout'

export const ID_BYTES_MAX: u32 = 256
const ARENA_BYTES: u32 = 16384

/** Free lists of the block sizes 16, 32, 64, 128, 256; a free block begins with the next one's address. */
const FREE: usize = memory.data(5 * 4, 16)
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

/** Slot of the id, or NO_NODE. */
export function findId(bytes: usize, length: u32, hash: u32): u32 {
  if (slotCount == 0) return NO_NODE
  const mask = slotCount - 1
  let s = hash & mask
  let entry = load<u32>(slots + s * 4)
  while (entry != 0) {
    const node = entry - 1
    if (load<u32>(field32(node, ID_HASH)) == hash && sameId(node, bytes, length)) return node
    s = (s + 1) & mask
    entry = load<u32>(slots + s * 4)
  }
  return NO_NODE
}

function sameId(node: u32, bytes: usize, length: u32): bool {
  if (load<u32>(field32(node, ID_LENGTH)) != length) return false
  return memory.compare(<usize>load<u32>(field32(node, ID_POINTER)), bytes, length) == 0
}

/** Stores the id of a slot that is not in the table. */
export function insertId(node: u32, bytes: usize, length: u32, hash: u32): void {
  if ((entryCount + 1) * 2 > slotCount) growSlots()
  const block = takeBlock(length)
  memory.copy(block, bytes, length)
  store<u32>(field32(node, ID_POINTER), <u32>block)
  store<u32>(field32(node, ID_LENGTH), length)
  store<u32>(field32(node, ID_HASH), hash)
  place(node, hash)
  entryCount++
}

/** Forgets the id; its bytes stay readable until `freeId`. */
export function removeId(node: u32): void {
  const mask = slotCount - 1
  let hole = load<u32>(field32(node, ID_HASH)) & mask
  while (load<u32>(slots + hole * 4) != node + 1) hole = (hole + 1) & mask
  // Moves later entries back over the hole, so that no probe meets a gap and no tombstone is needed.
  for (let s = (hole + 1) & mask; ; s = (s + 1) & mask) {
    const entry = load<u32>(slots + s * 4)
    if (entry == 0) break
    const home = load<u32>(field32(entry - 1, ID_HASH)) & mask
    if (((s - home) & mask) >= ((s - hole) & mask)) {
      store<u32>(slots + hole * 4, entry)
      hole = s
    }
  }
  store<u32>(slots + hole * 4, 0)
  entryCount--
}

export function freeId(node: u32): void {
  const block = <usize>load<u32>(field32(node, ID_POINTER))
  const list = FREE + sizeClass(load<u32>(field32(node, ID_LENGTH))) * 4
  store<u32>(block, load<u32>(list))
  store<u32>(list, <u32>block)
  store<u32>(field32(node, ID_LENGTH), 0)
}

function place(node: u32, hash: u32): void {
  const mask = slotCount - 1
  let s = hash & mask
  while (load<u32>(slots + s * 4) != 0) s = (s + 1) & mask
  store<u32>(slots + s * 4, node + 1)
}

function growSlots(): void {
  const old = slots
  const oldCount = slotCount
  slotCount = oldCount == 0 ? 1024 : oldCount * 2
  slots = allocate(slotCount * 4)
  for (let s: u32 = 0; s < oldCount; s++) {
    const entry = load<u32>(old + s * 4)
    if (entry != 0) place(entry - 1, load<u32>(field32(entry - 1, ID_HASH)))
  }
}

function sizeClass(length: u32): u32 {
  let size: u32 = 0
  while ((<u32>16) << size < length) size++
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
