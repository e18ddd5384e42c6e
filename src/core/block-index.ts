/**
 * The workloads of one node by the block that their names fall into, so that a block costs what is in it and
 * not what its node runs.
 */
import type { WorkloadId } from './ids.ts'
import { blockOf } from './resync.ts'

export class BlockIndex {
  /** Of the node, as `blockOf` is asked. */
  readonly blocks: number
  readonly #members = new Map<number, Set<WorkloadId>>()

  constructor(workloads: Iterable<WorkloadId>, blocks: number) {
    this.blocks = blocks
    for (const workload of workloads) this.add(workload)
  }

  add(workload: WorkloadId): void {
    const block = blockOf(workload, this.blocks)
    const members = this.#members.get(block)
    if (members === undefined) return void this.#members.set(block, new Set([workload]))
    members.delete(workload)
    members.add(workload)
  }

  delete(workload: WorkloadId): void {
    const block = blockOf(workload, this.blocks)
    const members = this.#members.get(block)
    if (members?.delete(workload) === true && members.size === 0) this.#members.delete(block)
  }

  /** In the order in which they were last added. */
  of(block: number): ReadonlySet<WorkloadId> {
    return this.#members.get(block) ?? NOBODY
  }
}

const NOBODY: ReadonlySet<WorkloadId> = new Set()
