/**
 * Which partition a key belongs to: murmur2 as in Kafka's Java client, so that a producer in any
 * language can agree with us. It is always computed here and never left to a client's default.
 */
import { toBytes } from './bytes.ts'

const SEED = 0x9747b28c
const M = 0x5bd1e995

/** 32-bit murmur2 over the bytes, signed. */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length
  let h = SEED ^ length
  const wordCount = length >> 2
  for (let i = 0; i < wordCount; i++) {
    const o = i << 2
    let k = bytes[o] | (bytes[o + 1] << 8) | (bytes[o + 2] << 16) | (bytes[o + 3] << 24)
    k = Math.imul(k, M)
    k ^= k >>> 24
    k = Math.imul(k, M)
    h = Math.imul(h, M) ^ k
  }
  const tail = wordCount << 2
  const rest = length - tail
  if (rest === 3) h ^= bytes[tail + 2] << 16
  if (rest >= 2) h ^= bytes[tail + 1] << 8
  if (rest >= 1) h = Math.imul(h ^ bytes[tail], M)
  h ^= h >>> 13
  h = Math.imul(h, M)
  return h ^ (h >>> 15)
}

/** 0..partitionCount-1, equal to what Kafka's Java client chooses for the same key. */
export function partitionOf(key: string | Uint8Array, partitionCount: number): number {
  const bytes = typeof key === 'string' ? toBytes(key) : key
  return (murmur2(bytes) & 0x7fffffff) % partitionCount
}
