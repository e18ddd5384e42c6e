/**
 * CRC-32C (Castagnoli), eight bytes a step instead of one ("slicing by eight", Kounavis and Berry,
 * 2005): the broker wants one of every batch, and kafkajs works it out byte by byte.
 */
const POLYNOMIAL = 0x82f6_3b78
const SLICES = 8

/** Table n holds what a byte adds when n more bytes follow it in its step. */
const TABLES: readonly Int32Array[] = createTables()

function createTables(): readonly Int32Array[] {
  const tables = Array.from({ length: SLICES }, () => new Int32Array(256))
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    tables[0][byte] = crc
  }
  for (let slice = 1; slice < SLICES; slice++) {
    for (let byte = 0; byte < 256; byte++) {
      const before = tables[slice - 1][byte]
      tables[slice][byte] = tables[0][before & 0xff] ^ (before >>> 8)
    }
  }
  return tables
}

export function crc32c(bytes: Uint8Array): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES
  const wholeSteps = bytes.length - (bytes.length % SLICES)
  let crc = -1
  let at = 0
  for (; at < wholeSteps; at += SLICES) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
    crc =
      t7[crc & 0xff] ^
      t6[(crc >>> 8) & 0xff] ^
      t5[(crc >>> 16) & 0xff] ^
      t4[crc >>> 24] ^
      t3[bytes[at + 4]] ^
      t2[bytes[at + 5]] ^
      t1[bytes[at + 6]] ^
      t0[bytes[at + 7]]
  }
  for (; at < bytes.length; at++) crc = t0[(crc ^ bytes[at]) & 0xff] ^ (crc >>> 8)
  return ~crc >>> 0
}
