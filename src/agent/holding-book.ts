/**
 * What an agent knows of the workloads of its node, and how it finds back to the log after it was cut off.
 *
 * It answers the coordinator's blocks (topic `resync`) with digests of what it holds. Where they differ it
 * takes what the log knows better, keeps aside what it loses by that, and sends what the log does not know.
 * It stops nothing: of two copies that run, only people know which has the newer state.
 */
import { createHash } from 'node:crypto'
import { BlockIndex } from '../core/block-index.ts'
import type { LogRecord, Output } from '../core/bus.ts'
import type { HoldingReport } from '../core/evidence.ts'
import type { NodeId, PoolId, WorkloadId } from '../core/ids.ts'
import {
  type Hold,
  HOLDS_MAX,
  holdingText,
  type LogEntry,
  type ResyncAgent,
  type ResyncBlock,
} from '../core/resync.ts'
import { compareVersions } from '../core/version-vector.ts'
import type { Placement } from '../core/workload.ts'
import { evidenceOutput } from './probe.ts'
import { placementOutput, type Reporter } from './report.ts'
import { readResyncBlock } from './resync-record.ts'

/** Placements known, and placements lost; the oldest go first, but for what runs here. */
const PLACEMENTS_MAX = 65_536

export interface HoldingBookOptions extends Reporter {
  readonly node: NodeId
  /** True when `signature` (base64) is the service's over exactly these bytes. */
  readonly verify: (bytes: Uint8Array, signature: string) => boolean
  readonly placementsMax?: number
}

export interface HoldingCounts {
  readonly answered: number
  readonly malformed: number
  /** Not signed, or not what was signed: damaged on its way. It is sent again. */
  readonly unsigned: number
  /** From an owner that another one has followed, or too old. */
  readonly stale: number
}

export class HoldingBook implements ResyncAgent {
  readonly #options: HoldingBookOptions
  readonly #placementsMax: number
  readonly #known = new Map<WorkloadId, Placement>()
  /** What runs here, by blocks as the coordinator last asked for them. */
  #here = new BlockIndex([], 1)
  readonly #lost: Placement[] = []
  readonly #newestEpochs = new Map<PoolId, number>()
  #tally = { answered: 0, malformed: 0, unsigned: 0, stale: 0 }

  constructor(options: HoldingBookOptions) {
    this.#options = options
    this.#placementsMax = options.placementsMax ?? PLACEMENTS_MAX
  }

  /** The newest that the agent knows of a workload: what it has placed, begun, or seen end here. */
  note(placement: Placement): void {
    const { workload, node } = placement
    this.#known.delete(workload)
    this.#known.set(workload, placement)
    if (node === this.#options.node) this.#here.add(workload)
    else this.#here.delete(workload)
    if (this.#known.size > this.#placementsMax) this.#forgetOne()
  }

  /** What runs here is never forgotten: the log would be told that it runs nowhere. */
  #forgetOne(): void {
    for (const { workload, node } of this.#known.values()) {
      if (node !== this.#options.node) return void this.#known.delete(workload)
    }
  }

  /** What runs here, as far as the book knows. */
  held(): readonly Placement[] {
    return [...this.#known.values()].filter(({ node }) => node === this.#options.node)
  }

  /** Placements of this node that lost against the log, oldest first: their copies may still run. */
  lost(): readonly Placement[] {
    return this.#lost
  }

  counts(): HoldingCounts {
    return { ...this.#tally }
  }

  /** A record of topic `resync`: the answer, and before it placements that the log does not know. */
  take({ value, headers }: LogRecord, nowMs: number): readonly Output[] {
    const read = readResyncBlock(value)
    if (!read.ok) {
      this.#tally.malformed++
      return []
    }
    const { block } = read
    if (block.node !== this.#options.node) return []
    const signature = headers['signature']
    if (signature === undefined || !this.#options.verify(value!, signature)) {
      this.#tally.unsigned++
      return []
    }
    if (block.epoch < (this.#newestEpochs.get(block.pool) ?? -1) || nowMs >= block.expiresAtMs) {
      this.#tally.stale++
      return []
    }
    this.#newestEpochs.set(block.pool, block.epoch)
    this.#tally.answered++
    const said = (block.entries ?? []).flatMap((entry) => this.#settle(block, entry, nowMs))
    return [...said, this.#answer(block, nowMs)]
  }

  /** What the log should know of the workload, if anything; what it knows better is taken. */
  #settle(block: ResyncBlock, { workload, placement }: LogEntry, nowMs: number): readonly Output[] {
    const known = this.#known.get(workload)
    if (placement === null) return known === undefined ? [] : [this.#say(block, known, nowMs)]
    const isHere = placement.node === this.#options.node
    if (known?.versions !== undefined && placement.versions !== undefined) {
      const order = compareVersions(known.versions, placement.versions)
      if (order === 'after' || order === 'concurrent') return [this.#say(block, known, nowMs)]
    }
    if (isHere && known?.node !== this.#options.node) return this.#disown(block, placement, nowMs)
    if (known !== undefined) this.#adopt(known, placement)
    return []
  }

  /**
   * The log has it here, and it does not run here. It is said to run nowhere at the very versions of the log,
   * so that this is stale where the log has gone on meanwhile; without versions only people can tell.
   */
  #disown(block: ResyncBlock, placement: Placement, nowMs: number): readonly Output[] {
    if (placement.versions === undefined) return []
    return [this.#say(block, { ...placement, node: null }, nowMs)]
  }

  /** Its own copy loses where the log has it elsewhere, and is kept aside. */
  #adopt(known: Placement, placement: Placement): void {
    const here = this.#options.node
    if (known.node === here && placement.node !== here) {
      this.#lost.push(known)
      if (this.#lost.length > this.#placementsMax) this.#lost.shift()
    }
    this.note(placement)
  }

  #say({ resync, pool }: ResyncBlock, placement: Placement, nowMs: number): Output {
    const { workload, versions } = placement
    const id = `${resync}/${this.#options.node}/${workload}/${JSON.stringify(versions ?? null)}`
    return placementOutput(this.#options, { ...placement, pool }, id, nowMs)
  }

  /** What runs here of one block. */
  #heldOf(block: number, blocks: number): readonly Hold[] {
    if (this.#here.blocks !== blocks) {
      const workloads = this.held().map(({ workload }) => workload)
      this.#here = new BlockIndex(workloads, blocks)
    }
    return Array.from(this.#here.of(block), (workload) => {
      return { workload, versions: this.#known.get(workload)?.versions ?? null }
    })
  }

  #answer({ resync, pool, block, blocks, digest: theirs }: ResyncBlock, nowMs: number): Output {
    const { node } = this.#options
    const holds = this.#heldOf(block, blocks)
    const digest = createHash('sha256').update(holdingText(holds)).digest('hex')
    const report: HoldingReport = {
      kind: 'holding',
      pool,
      node,
      atMs: nowMs,
      resync,
      block,
      digest,
      ...(digest === theirs ? {} : { holds: holds.slice(0, HOLDS_MAX) }),
    }
    return evidenceOutput(this.#options, report)
  }
}
