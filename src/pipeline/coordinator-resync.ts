/**
 * After a network partition: has every node that was apart compare what it holds with the log, block by
 * block, and sends it what differs until both agree.
 *
 * The log is the truth, so nothing is kept of a block but where it stands: digests are made of the ledger when
 * they are asked for, and an owner that folds the log again goes on where the one before was.
 */
import { createHash } from 'node:crypto'
import { BlockIndex } from '../core/block-index.ts'
import type { HoldingReport } from '../core/evidence.ts'
import type { NodeId, PoolId, WorkloadId } from '../core/ids.ts'
import type { NetworkView } from '../core/network.ts'
import {
  blockCount,
  blockOf,
  type Hold,
  holdingText,
  type LogEntry,
  type ResyncFigures,
} from '../core/resync.ts'
import type { Placement } from '../core/workload.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState } from './coordinator-state.ts'

/** Blocks sent in a second of the log's time, those sent again included. */
export const BLOCKS_PER_SECOND = 1_024
/** Blocks that wait for an answer; further ones begin when these are done. */
const OPEN_MAX = 8_192
/** Blocks of one resynchronisation; what is more is told as not verified. */
export const BLOCKS_MAX = 262_144
/** A block is sent so often; then it is told as not verified. */
export const TRIES_MAX = 16
/** Without an answer it is sent again after so long, ms. */
export const ANSWER_WAIT_MS = 5_000
/** An older block is not to be answered, ms. */
const BLOCK_TTL_MS = 60_000
/** Text of a block's entries; what is more is sent when these agree. */
const ENTRIES_CHARS_MAX = 262_144
/** Between two lines of the journal that tell how far it is, ms. */
const TELL_EVERY_MS = 10_000

interface Block {
  readonly node: NodeId
  readonly block: number
  readonly blocks: number
  tries: number
  /** When it is sent next. */
  dueMs: number
  /** What the agent has said that it holds, where it differs. */
  holds: readonly Hold[] | null
  differed: boolean
}

interface Resync {
  readonly id: string
  readonly mergedAtMs: number | null
  readonly sinceMs: number
  readonly apart: ReadonlySet<NodeId>
  total: number
  /** Not begun yet. */
  readonly waiting: Map<string, Block>
  readonly open: Map<string, Block>
  verified: number
  repaired: number
  unverified: number
  running: boolean
  toldAtMs: number
}

export class ResyncDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #pools = new Map<PoolId, Resync>()
  /** Of nodes that are compared now: made of the ledger, and dropped when a resynchronisation ends. */
  readonly #indexes = new Map<NodeId, BlockIndex>()

  constructor(state: CoordinatorState, outbox: Outbox) {
    this.#state = state
    this.#outbox = outbox
  }

  /** Null where the pool's network was never split. */
  figures(pool: PoolId): ResyncFigures | null {
    const resync = this.#pools.get(pool)
    return resync === undefined ? null : figuresOf(resync)
  }

  /** Once a second of the log's time; `apart`: nodes that were not on the side that went on; null: none begins. */
  follow(pool: PoolId, view: NetworkView, apart: (() => Iterable<NodeId>) | null): void {
    const resync = this.#pools.get(pool)
    if (view.state === 'PARTITIONED') {
      if (resync?.running === true) this.#end(pool, resync, 'is broken off: the network is split')
      return
    }
    const mergedAtMs = view.episodes.at(-1)?.mergedAtMs ?? null
    if (apart !== null && view.state === 'RECOVERING' && resync?.mergedAtMs !== mergedAtMs) {
      this.#begin(pool, mergedAtMs, new Set(apart()))
    } else if (resync?.running === true) this.#step(pool, resync)
  }

  /** What an agent holds of a block. One that is not asked about, any more, says nothing. */
  take({ pool, node, resync: id, block, digest, holds }: HoldingReport): void {
    const resync = this.#pools.get(pool)
    if (resync?.running !== true || resync.id !== id) return
    const key = keyOf(node, block)
    const open = resync.open.get(key)
    if (open === undefined) return
    if (digest === digestOf(this.#held(open))) {
      resync.open.delete(key)
      resync.verified++
      if (open.differed) resync.repaired++
      return
    }
    open.differed = true
    open.holds = holds ?? []
    // Not at once: placements that the agent has sent may come after its answer.
    open.dueMs = this.#outbox.nowMs
  }

  /**
   * A placement on the node has changed meanwhile: its block is compared once more, and counts again. Nodes
   * that were not apart are asked only where one of theirs was in conflict, whether it held or not.
   */
  changed(node: NodeId, { workload, pool }: Placement, inConflict: boolean): void {
    this.#follow(node, workload)
    const resync = this.#pools.get(pool)
    if (resync?.running !== true || resync.waiting.size >= BLOCKS_MAX) return
    if (!inConflict && !resync.apart.has(node)) return
    const blocks = blockCount(this.#state.ledger.workloadsOn(node).size)
    const block = blockOf(workload, blocks)
    const key = keyOf(node, block)
    if (resync.open.has(key) || resync.waiting.has(key)) return
    resync.waiting.set(key, createBlock(node, block, blocks))
    resync.total++
  }

  #follow(node: NodeId, workload: WorkloadId): void {
    const index = this.#indexes.get(node)
    if (this.#state.ledger.workloadsOn(node).has(workload)) index?.add(workload)
    else index?.delete(workload)
  }

  #begin(pool: PoolId, mergedAtMs: number | null, apart: ReadonlySet<NodeId>): void {
    const waiting = new Map<string, Block>()
    let total = 0
    for (const id of apart) {
      const node = this.#state.nodes.get(id)
      if (node?.pool !== pool || node.failedAtMs !== null) continue
      const blocks = blockCount(this.#state.ledger.workloadsOn(id).size)
      total += blocks
      for (let block = 0; block < blocks && waiting.size < BLOCKS_MAX; block++) {
        waiting.set(keyOf(id, block), createBlock(id, block, blocks))
      }
    }
    if (total === 0) return
    const { nowMs } = this.#outbox
    const resync: Resync = {
      id: `${pool}.${this.#outbox.offset}.resync`,
      mergedAtMs,
      sinceMs: nowMs,
      apart,
      total,
      waiting,
      open: new Map(),
      verified: 0,
      repaired: 0,
      unverified: total - waiting.size,
      running: true,
      toldAtMs: nowMs,
    }
    this.#pools.set(pool, resync)
    const what = `Pool ${pool}: ${total} blocks of nodes that were apart are compared with the log.`
    this.#tell(pool, resync, what)
    this.#step(pool, resync)
  }

  #step(pool: PoolId, resync: Resync): void {
    const { nowMs } = this.#outbox
    const { open, waiting } = resync
    let left = BLOCKS_PER_SECOND
    for (const [key, block] of open) {
      if (left === 0) break
      if (block.dueMs > nowMs) continue
      if (block.tries < TRIES_MAX && this.#isThere(pool, block)) {
        this.#send(pool, resync, block)
        left--
      } else {
        open.delete(key)
        resync.unverified++
      }
    }
    for (const [key, block] of waiting) {
      if (left === 0 || open.size >= OPEN_MAX) break
      waiting.delete(key)
      open.set(key, block)
      this.#send(pool, resync, block)
      left--
    }
    if (open.size === 0 && waiting.size === 0) this.#end(pool, resync, 'is over')
    else if (nowMs - resync.toldAtMs >= TELL_EVERY_MS) {
      this.#tell(pool, resync, `Pool ${pool}: ${progress(resync)}.`)
    }
  }

  #isThere(pool: PoolId, { node: id }: Block): boolean {
    const node = this.#state.nodes.get(id)
    return node?.pool === pool && node.failedAtMs === null
  }

  #send(pool: PoolId, { id: resync }: Resync, block: Block): void {
    const { nowMs } = this.#outbox
    const { node, block: index, blocks, holds } = block
    const held = this.#held(block)
    block.tries++
    block.dueMs = nowMs + ANSWER_WAIT_MS
    this.#outbox.resync({
      resync,
      pool,
      node,
      epoch: this.#state.epoch,
      block: index,
      blocks,
      digest: digestOf(held),
      entries: holds === null ? null : this.#differing(held, holds),
      atMs: nowMs,
      expiresAtMs: nowMs + BLOCK_TTL_MS,
    })
    block.holds = null
  }

  /** What the log has on the node, of this block. */
  #held({ node, block, blocks }: Block): readonly Hold[] {
    const { ledger } = this.#state
    let index = this.#indexes.get(node)
    if (index?.blocks !== blocks) {
      index = new BlockIndex(ledger.workloadsOn(node), blocks)
      this.#indexes.set(node, index)
    }
    return Array.from(index.of(block), (workload) => {
      return { workload, versions: ledger.get(workload)?.versions ?? null }
    })
  }

  /** As the log has it, in the order of names, each workload that only one side has there, or at other versions. */
  #differing(held: readonly Hold[], said: readonly Hold[]): readonly LogEntry[] {
    const same = new Set(said.map((hold) => holdingText([hold])))
    const agreed = new Set(held.filter((hold) => same.has(holdingText([hold]))).map(nameOf))
    const names = [...new Set([...held, ...said].map(nameOf))].sort()
    const entries: LogEntry[] = []
    let chars = 0
    for (const workload of names) {
      if (agreed.has(workload)) continue
      const entry = { workload, placement: this.#state.ledger.get(workload) ?? null }
      chars += JSON.stringify(entry).length
      if (entries.length > 0 && chars > ENTRIES_CHARS_MAX) break
      entries.push(entry)
    }
    return entries
  }

  #end(pool: PoolId, resync: Resync, how: string): void {
    resync.unverified += resync.open.size + resync.waiting.size
    resync.open.clear()
    resync.waiting.clear()
    resync.running = false
    // Those of another pool that goes on are made anew.
    this.#indexes.clear()
    this.#tell(pool, resync, `Pool ${pool}: resynchronisation ${how}; ${progress(resync)}.`)
  }

  #tell(pool: PoolId, resync: Resync, summary: string): void {
    const { sinceMs, running } = resync
    resync.toldAtMs = this.#outbox.nowMs
    const { blockCount: limit, verifiedCount, repairedCount, unverifiedCount } = figuresOf(resync)
    this.#outbox.journal({
      kind: 'condition',
      pool,
      reasons: [summary],
      evidence: [
        { what: 'blocksVerified', value: verifiedCount, limit },
        { what: 'blocksRepaired', value: repairedCount, limit },
        { what: 'blocksUnverified', value: unverifiedCount, limit },
      ],
      condition: { name: 'resync', state: running ? 'standing' : 'over', sinceMs, summary },
    })
  }
}

function createBlock(node: NodeId, block: number, blocks: number): Block {
  return { node, block, blocks, tries: 0, dueMs: 0, holds: null, differed: false }
}

function figuresOf({ running, total, verified, repaired, unverified }: Resync): ResyncFigures {
  return {
    running,
    blockCount: total,
    verifiedCount: verified,
    repairedCount: repaired,
    unverifiedCount: unverified,
  }
}

function progress({ verified, total, repaired, unverified }: Resync): string {
  const done = `${verified} of ${total} blocks agree with the log, ${repaired} of them were mended`
  return unverified === 0 ? done : `${done}, and ${unverified} could not be verified`
}

function digestOf(holds: readonly Hold[]): string {
  return createHash('sha256').update(holdingText(holds)).digest('hex')
}

function keyOf(node: NodeId, block: number): string {
  return `${block}/${node}`
}

function nameOf({ workload }: Hold): WorkloadId {
  return workload
}
