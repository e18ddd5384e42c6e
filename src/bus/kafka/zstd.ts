/**
 * How much a zstd frame can unpack to (RFC 8878, section 3.1.1), read from its blocks. Kafka's own
 * client writes no content size, and the unpacker wants to be told; setting aside the most that is
 * allowed for each small batch would cost 64 MiB of WASM heap.
 */

const FRAME_MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50
const SKIPPABLE_MASK = 0xfffffff0
const FLAG_CHECKSUM = 0x04
const FLAG_SINGLE_SEGMENT = 0x20
/** No block unpacks to more. */
const BLOCK_BYTES_MAX = 128 * 1024
const BLOCK_RAW = 0
const BLOCK_RLE = 1
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const

/** An upper bound, never under the real size. Throws a RangeError on damaged input and over `bytesMax`. */
export function zstdBytesMax(packed: Uint8Array, bytesMax: number): number {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  let total = 0
  for (let at = 0; at < packed.length;) {
    const magic = view.getUint32(at, true)
    if ((magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC) {
      at += 8 + view.getUint32(at + 4, true)
      continue
    }
    if (magic !== FRAME_MAGIC) throw new RangeError('not a zstd frame')
    const flags = view.getUint8(at + 4)
    at += headerBytes(flags)
    for (let last = false; !last;) {
      const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16)
      const size = header >> 3
      const type = (header >> 1) & 3
      last = (header & 1) === 1
      total += type === BLOCK_RAW || type === BLOCK_RLE ? size : BLOCK_BYTES_MAX
      if (total > bytesMax) throw new RangeError(`more than ${bytesMax} bytes unpacked`)
      at += 3 + (type === BLOCK_RLE ? 1 : size)
    }
    if (flags & FLAG_CHECKSUM) at += 4
  }
  return total
}

/** Magic, flags, window, dictionary id and content size, as the flags say. */
function headerBytes(flags: number): number {
  const single = (flags & FLAG_SINGLE_SEGMENT) !== 0
  const contentSize = CONTENT_SIZE_BYTES[flags >> 6]
  const dictionary = DICTIONARY_ID_BYTES[flags & 3]
  return 5 + (single ? Math.max(1, contentSize) : 1 + contentSize) + dictionary
}
