/**
 * Shards that have changed and are not yet published, by page. A page is what one transaction can
 * carry without hiding the log from its readers for long; the coordinator goes on with the next one
 * when it reads its own record of kind `shard-page` back, so never before the last one is committed.
 */
import type { PoolId } from '../core/ids.ts'
import { type Assignment, shardKey } from '../core/shard.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { ChangedShard, MapChange, ShardMap } from './shard-map.ts'

/** Shards of one page: on a busy broker a second or so of a transaction, which has two. */
export const PAGE_SHARDS_MAX = 10_000

export class ShardPages {
  readonly #pool: PoolId
  readonly #waiting = new Map<number, ChangedShard>()

  constructor(pool: PoolId) {
    this.#pool = pool
  }

  note({ changed }: MapChange): void {
    for (const [shard, change] of changed) {
      const first = this.#waiting.get(shard)
      // What a consumer knows of it is from before the first change.
      this.#waiting.set(
        shard,
        first === undefined
          ? change
          : { reason: change.reason, previousOwner: first.previousOwner },
      )
    }
  }

  /** The shards from one number to the next are no more: compaction forgets them. */
  forget(from: number, to: number): void {
    for (let shard = from; shard < to; shard++) {
      this.#waiting.set(shard, { reason: 'load-bound', previousOwner: null })
    }
  }

  /** Publishes the next page; true while there are more. */
  publish(map: ShardMap | null, outbox: Outbox, epoch: number): boolean {
    const shardCount = map?.rules.shardCount ?? 0
    let count = 0
    for (const [shard, { reason, previousOwner }] of this.#waiting) {
      if (count++ === PAGE_SHARDS_MAX) return true
      this.#waiting.delete(shard)
      const key = shardKey(this.#pool, shard)
      if (map === null || shard >= shardCount) {
        outbox.assignmentGone(key)
        continue
      }
      const [owner, ...replicas] = map.owners(shard)
      const body: Assignment = {
        pool: this.#pool,
        shard,
        shardCount,
        owner,
        replicas: replicas.filter((node) => node !== null),
        epoch,
        version: outbox.offset,
        previousOwner,
        reason,
        atMs: outbox.nowMs,
      }
      outbox.assignment(key, body)
    }
    return false
  }
}
