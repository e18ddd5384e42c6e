/**
 * What many faulty nodes have in common: a zone, a region, a rack, an image, a collector, a rollout, or the
 * version of our own model that calls them faulty.
 *
 * A value is the cause when enough of the nodes that share it are faulty, and far fewer of the others
 * are. Where nothing tells them apart and most of the pool is faulty, the pool itself is the cause.
 */
import type { NodeId } from '../core/ids.ts'

/** In the order in which ties are settled: the narrowest first. */
export const DIMENSIONS = [
  'rack',
  'zone',
  'region',
  'collector',
  'rollout',
  'image',
  'model',
] as const
export type Dimension = (typeof DIMENSIONS)[number]

/** By dimension; what is missing is not known. `model` is not a member's but its fault's. */
export type Attributes = Readonly<Partial<Record<Dimension, string>>>

export interface Cause {
  readonly dimension: Dimension | 'pool'
  readonly value: string
  readonly faultyCount: number
  readonly memberCount: number
}

export interface CausePolicy {
  /** Of the pool, also those of which no attribute is known. */
  readonly nodeCount: number
  readonly sharedCauseRatio: number
  readonly sharedCauseNodesMin: number
}

/** Faulty ones must be so many times commoner among those that share the value. */
const LIFT_MIN = 3

const NO_ATTRIBUTES: Attributes = {}

interface Count {
  memberCount: number
  faultyCount: number
}

/** Members of one pool and which of them are faulty, counted by each value that they share. */
export class SharedCauses {
  readonly #members = new Map<NodeId, Attributes>()
  readonly #faulty = new Map<NodeId, Attributes>()
  readonly #counts = new Map<string, Count>()

  /** What is known of the node; nothing is remembered of one without attributes. */
  attributesOf(node: NodeId): Attributes {
    return this.#members.get(node) ?? NO_ATTRIBUTES
  }

  setMember(node: NodeId, attributes: Attributes): void {
    const faulty = this.#faulty.get(node)
    this.removeMember(node)
    if (keysOf(attributes).length > 0) this.#members.set(node, attributes)
    for (const key of keysOf(attributes)) this.#count(key).memberCount++
    if (faulty !== undefined) this.setFaulty(node, faulty.model)
  }

  removeMember(node: NodeId): void {
    this.clearFaulty(node)
    const attributes = this.#members.get(node)
    if (attributes === undefined) return
    this.#members.delete(node)
    for (const key of keysOf(attributes)) {
      const count = this.#count(key)
      count.memberCount--
      if (count.memberCount === 0) this.#counts.delete(key)
    }
  }

  /** `model`: the version that calls it faulty, where nothing else does. */
  setFaulty(node: NodeId, model: string | undefined): void {
    this.clearFaulty(node)
    const attributes = this.attributesOf(node)
    const faulty = model === undefined ? attributes : { ...attributes, model }
    this.#faulty.set(node, faulty)
    for (const key of keysOf(faulty)) this.#count(key).faultyCount++
  }

  clearFaulty(node: NodeId): void {
    const faulty = this.#faulty.get(node)
    if (faulty === undefined) return
    this.#faulty.delete(node)
    for (const key of keysOf(faulty)) {
      const count = this.#count(key)
      count.faultyCount--
      if (count.faultyCount === 0 && count.memberCount === 0) this.#counts.delete(key)
    }
  }

  /** The value that explains best why this node is faulty; null where it is a case of its own. */
  causeOf(node: NodeId, policy: CausePolicy): Cause | null {
    const faulty = this.#faulty.get(node)
    if (faulty === undefined) return null
    let best: { readonly cause: Cause; readonly gain: number } | null = null
    for (const dimension of DIMENSIONS) {
      const value = faulty[dimension]
      if (value === undefined) continue
      const count = this.#counts.get(keyOf(dimension, value))
      const { faultyCount = 0 } = count ?? {}
      // Every member is scored by the model, so all of them could be called faulty by it.
      const memberCount = dimension === 'model' ? policy.nodeCount : (count?.memberCount ?? 0)
      const gain = this.#gain(faultyCount, memberCount, dimension, policy)
      if (gain > (best?.gain ?? 0)) {
        best = { cause: { dimension, value, faultyCount, memberCount }, gain }
      }
    }
    return best?.cause ?? this.#wholePool(policy)
  }

  /** How much likelier a node is faulty when it shares the value; 0 where that is no cause. */
  #gain(
    faultyCount: number,
    memberCount: number,
    dimension: Dimension,
    { sharedCauseRatio, sharedCauseNodesMin, nodeCount }: CausePolicy,
  ): number {
    if (faultyCount < sharedCauseNodesMin || faultyCount < sharedCauseRatio * memberCount) return 0
    const inside = faultyCount / Math.max(1, memberCount)
    if (dimension === 'model') return 2 * faultyCount > this.#faulty.size ? inside : 0
    const others = nodeCount - memberCount
    const outside = others <= 0 ? 0 : (this.#faulty.size - faultyCount) / others
    if (inside < LIFT_MIN * outside) return 0
    // A value that nearly everybody has tells nothing that the pool does not.
    return others <= 0 ? 0 : inside - outside
  }

  #wholePool(policy: CausePolicy): Cause | null {
    const { sharedCauseRatio, sharedCauseNodesMin, nodeCount: memberCount } = policy
    const faultyCount = this.#faulty.size
    if (faultyCount < sharedCauseNodesMin || faultyCount < sharedCauseRatio * memberCount)
      return null
    return { dimension: 'pool', value: 'all', faultyCount, memberCount }
  }

  #count(key: string): Count {
    let count = this.#counts.get(key)
    if (count === undefined) this.#counts.set(key, (count = { memberCount: 0, faultyCount: 0 }))
    return count
  }
}

function keyOf(dimension: Dimension, value: string): string {
  return `${dimension}:${value}`
}

function keysOf(attributes: Attributes): readonly string[] {
  return DIMENSIONS.flatMap((dimension) => {
    const value = attributes[dimension]
    return value === undefined ? [] : [keyOf(dimension, value)]
  })
}
