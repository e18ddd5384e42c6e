/**
 * Shards that have changed and are not yet published, by page. A page is what one transaction can
 * carry without hiding the log from its readers for long; the coordinator goes on with the next one
 * when it reads its own record of kind `shard-page` back, so never before the last one is committed.
 */
import type { NodeId, PoolId } from '../core/ids.ts'
import { type Assignment, shardKey } from '../core/shard.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { ChangedShard, MapChange, Owners, ShardMap } from './shard-map.ts'

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
    const say = outbox.assignments()
    const { offset: version, nowMs: atMs } = outbox
    const textOf = writer({ pool: this.#pool, shardCount, epoch, version, atMs })
    let count = 0
    for (const [shard, change] of this.#waiting) {
      if (count++ === PAGE_SHARDS_MAX) return true
      this.#waiting.delete(shard)
      const key = shardKey(this.#pool, shard)
      if (map === null || shard >= shardCount) outbox.assignmentGone(key)
      else say(key, map.key(shard), textOf(shard, map.owners(shard), change))
    }
    return false
  }
}

/**
 * JSON of `Assignment`s that share these. It is put together from parts that are made once, which is
 * several times faster than making an object of each.
 */
function writer(shared: Pick<Assignment, 'pool' | 'shardCount' | 'epoch' | 'version' | 'atMs'>) {
  const { pool, shardCount, epoch, version, atMs } = shared
  const names = new Map<NodeId | null, string>()
  const named = (node: NodeId | null): string => {
    let text = names.get(node)
    if (text === undefined) names.set(node, (text = JSON.stringify(node)))
    return text
  }
  const start = `{"pool":${JSON.stringify(pool)},"shard":`
  const middle = `],"epoch":${epoch},"version":${version},"previousOwner":`
  return (shard: number, owners: Owners, { previousOwner, reason }: ChangedShard): string => {
    let replicas = ''
    for (let i = 1; i < owners.length; i++) {
      if (owners[i] !== null) replicas += (replicas === '' ? '' : ',') + named(owners[i])
    }
    return `${start}${shard},"shardCount":${shardCount},"owner":${named(owners[0])},"replicas":[${replicas}${middle}${named(previousOwner)},"reason":"${reason}","atMs":${atMs}}`
  }
}
