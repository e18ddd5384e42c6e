/**
 * Consistent hashing: which node a key belongs to, so that a node that comes or goes moves only its
 * own share. This is the readable reference, and what callers agree on; wasm/assembly/ring.ts
 * computes the same, and test/wasm holds the two equal.
 */
import { toBytes } from './bytes.ts'
import { ServiceError } from './errors.ts'

/** Points of a node of weight 1. With 256 the largest load is about 1.23 of the mean. */
export const VIRTUAL_NODES = 256
export const WEIGHT_MAX = 64
/** Replicas of one key at most. */
export const REPLICAS_MAX = 16
/** No node takes more than this share of its fair load. */
export const BOUND_DEFAULT = 1.25
/** What stands where no node is. */
export const NOBODY = 0xffff_ffff

export interface RingMember {
  readonly node: string
  /** Share relative to other nodes, e.g. its capacity; 0: it keeps its name and gets no keys. */
  readonly weight: number
  /** Replicas of one key spread over zones; nodes of unknown zone count as one zone. */
  readonly zone: string | null
}

/** Key i is the bytes from `offsets[i]` to `offsets[i + 1]`. */
export interface RingKeys {
  readonly bytes: Uint8Array
  readonly offsets: Uint32Array
}

const MASK = (1n << 64n) - 1n
const K1 = 0x9e3779b185ebca87n
const K2 = 0xc2b2ae3d27d4eb4fn
const K3 = 0xff51afd7ed558ccdn

/** 64 bits, unsigned. Not keyed: bounded loads, not the hash, are what stands against chosen keys. */
export function ringHash(key: Uint8Array): bigint {
  const length = key.length
  let h = (BigInt(length) * K1) & MASK
  if (length < 8) {
    let word = 0n
    for (const byte of key) word = (word << 8n) | BigInt(byte)
    return mix(step(h, word))
  }
  const view = new DataView(key.buffer, key.byteOffset, length)
  for (let at = 0; at < length - 8; at += 8) h = step(h, view.getBigUint64(at, true))
  return mix(step(h, view.getBigUint64(length - 8, true)))
}

function step(h: bigint, word: bigint): bigint {
  const x = h ^ ((word * K1) & MASK)
  return ((((x << 29n) | (x >> 35n)) & MASK) * K2) & MASK
}

function mix(x: bigint): bigint {
  let h = x
  h ^= h >> 32n
  h = (h * K3) & MASK
  h ^= h >> 29n
  h = (h * K2) & MASK
  return h ^ (h >> 32n)
}

/** How many points a weight gives; a node that takes part has at least one. */
export function virtualNodes(weight: number): number {
  return weight === 0 ? 0 : Math.max(1, Math.round(weight * VIRTUAL_NODES))
}

/** ServiceError INPUT_INVALID for a member that no ring can take. */
export function checkMember({ node, weight }: RingMember): void {
  if (node === '') throw new ServiceError('INPUT_INVALID', 'a node of the ring has no name')
  if (!(weight >= 0 && weight <= WEIGHT_MAX)) {
    throw new ServiceError(
      'INPUT_INVALID',
      `node ${node}: weight ${weight} is no number from 0 to ${WEIGHT_MAX}`,
    )
  }
}

interface Point {
  readonly position: number
  readonly seed: bigint
  readonly node: number
}

/** The points of the members, in order of the ring; nodes are indices into `members`. */
export function ringPoints(members: readonly RingMember[]): readonly Point[] {
  const points = members.flatMap(({ node, weight }, index) => {
    const seed = ringHash(toBytes(node))
    return Array.from({ length: virtualNodes(weight) }, (_, j) => {
      const hash = mix((seed + BigInt(j) * K1) & MASK)
      return { position: Number(hash >> 32n), seed, node: index }
    })
  })
  // Two nodes at one position stand in an order that does not depend on who joined first.
  return points.sort((a, b) => a.position - b.position || (a.seed < b.seed ? -1 : 1))
}

/** Nodes in the order in which a walk from the key meets them, each once. */
export function* walkRing(points: readonly Point[], key: Uint8Array): Generator<number> {
  const position = Number(ringHash(key) >> 32n)
  const first = points.findIndex((point) => point.position >= position)
  const met = new Set<number>()
  for (let i = 0; i < points.length; i++) {
    const { node } = points[((first === -1 ? 0 : first) + i) % points.length]
    if (met.has(node)) continue
    met.add(node)
    yield node
  }
}

/**
 * The nodes that hold a key's replicas: the first of each zone on the walk, then, where there are
 * fewer zones than replicas, the first others.
 */
export function replicasOf(
  members: readonly RingMember[],
  walk: readonly number[],
  replicaCount: number,
): readonly number[] {
  const chosen: number[] = []
  const zones = new Set<string | null>()
  for (const node of walk) {
    if (chosen.length === replicaCount || zones.has(members[node].zone)) continue
    zones.add(members[node].zone)
    chosen.push(node)
  }
  for (const node of walk) {
    if (chosen.length < replicaCount && !chosen.includes(node)) chosen.push(node)
  }
  return chosen
}

/** Texts as the keys of a batch. */
export function ringKeys(texts: readonly string[]): RingKeys {
  const parts = texts.map(toBytes)
  const offsets = new Uint32Array(parts.length + 1)
  parts.forEach((part, i) => (offsets[i + 1] = offsets[i] + part.length))
  const bytes = new Uint8Array(offsets[parts.length])
  parts.forEach((part, i) => bytes.set(part, offsets[i]))
  return { bytes, offsets }
}
