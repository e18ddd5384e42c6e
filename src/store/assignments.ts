/** The maps of shards, as in topic `assignments`. Bounded: what is over the limit is counted, not shown. */
import { toBytes } from '../core/bytes.ts'
import { type Assignment, shardKey, shardOf, SHARDS_MAX } from '../core/shard.ts'

interface PoolShards {
  readonly shards: (Assignment | undefined)[]
  count: number
}

export class AssignmentViews {
  readonly #shardsMax: number
  /** Pool → shard → its newest record. */
  readonly #pools = new Map<string, PoolShards>()
  #count = 0
  #leftOut = 0

  constructor(shardsMax: number) {
    this.#shardsMax = shardsMax
  }

  /** Shards shown. */
  get count(): number {
    return this.#count
  }

  /** Shards not shown because the limit is reached. */
  get leftOutCount(): number {
    return this.#leftOut
  }

  /** False for what is no assignment. */
  take(body: Readonly<Record<string, unknown>>): boolean {
    if (!isAssignment(body)) return false
    const { pool, shard } = body
    const held = this.#pools.get(pool) ?? { shards: [], count: 0 }
    if (held.shards[shard] === undefined) {
      if (this.#count >= this.#shardsMax) {
        this.#leftOut++
        return true
      }
      this.#count++
      held.count++
    }
    held.shards[shard] = body
    this.#pools.set(pool, held)
    return true
  }

  /** By the key of its record. */
  drop(key: string): void {
    const { pool, shard } = placeOf(key)
    const held = this.#pools.get(pool)
    if (held?.shards[shard] === undefined) return
    held.shards[shard] = undefined
    this.#count--
    held.count--
    if (held.count === 0) this.#pools.delete(pool)
  }

  /** Of the shard that a key belongs to; undefined where the pool has none, or it is not known yet. */
  ofKey(pool: string, key: string): Assignment | undefined {
    const shards = this.#pools.get(pool)?.shards
    // All records of a map say the same number, and those of an older one are about to be replaced.
    const newest = shards?.[0]
    return newest === undefined ? undefined : shards?.[shardOf(toBytes(key), newest.shardCount)]
  }

  /** By pool and shard, from the one after `key` on; of one pool, or of all. */
  *after(key: string | undefined, pool?: string): Generator<Assignment> {
    const from = key === undefined ? undefined : placeOf(key)
    const pools = pool === undefined ? [...this.#pools.keys()].sort() : [pool]
    for (const name of pools) {
      if (from !== undefined && name < from.pool) continue
      const shards = this.#pools.get(name)?.shards ?? []
      const first = name === from?.pool ? from.shard + 1 : 0
      for (let shard = first; shard < shards.length; shard++) {
        const assignment = shards[shard]
        if (assignment !== undefined) yield assignment
      }
    }
  }
}

/** A place that no record has, for a text that is no key of one. */
function placeOf(key: string): { readonly pool: string; readonly shard: number } {
  const at = key.lastIndexOf('/')
  const shard = Number(key.slice(at + 1))
  const pool = key.slice(0, Math.max(0, at))
  return shardKey(pool, shard) === key ? { pool, shard } : { pool: '', shard: -1 }
}

function isAssignment(
  body: Readonly<Record<string, unknown>>,
): body is Readonly<Record<string, unknown>> & Assignment {
  const { pool, shard, shardCount, owner, replicas } = body
  return (
    typeof pool === 'string' &&
    isCount(shard) &&
    isCount(shardCount) &&
    shard < shardCount &&
    (owner === null || typeof owner === 'string') &&
    Array.isArray(replicas) &&
    replicas.every((node) => typeof node === 'string')
  )
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= SHARDS_MAX
}
