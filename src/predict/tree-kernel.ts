/**
 * A tree ensemble in an instance of foreshock.wasm of its own. Rows are copied into it once, a block
 * at a time, so that a block and the model stay in the cache.
 */
import { assert } from '../core/errors.ts'
import type { TreeEnsemble } from './onnx-trees.ts'
import { planTrees } from './tree-plan.ts'

const ROWS_PER_BLOCK = 256
/** More than the module's static data needs; the kernel grows it by itself. */
const PAGES_INITIAL = 32

const CALLS = [
  'layOutTrees',
  'treeRowsPointer',
  'treeScoresPointer',
  'treeSlotsPointer',
  'treeSplitsPointer',
  'treeGroupsPointer',
  'treeLeavesPointer',
  'scoreTrees',
] as const
/** The exports of wasm/assembly/trees.ts. */
type Call = (typeof CALLS)[number]

/** Functions of a kernel, by name. */
type Exports<Name extends string> = Readonly<Record<Name, (...args: readonly number[]) => number>>

export class TreeKernel {
  readonly #featureCount: number
  readonly #base: number
  readonly #scoreTrees: Exports<'scoreTrees'>['scoreTrees']
  readonly #rows: Float32Array
  readonly #scores: Float32Array

  private constructor(ensemble: TreeEnsemble, featureCount: number, kernel: Placed<Call>) {
    this.#featureCount = featureCount
    this.#base = ensemble.base
    this.#scoreTrees = kernel.exports.scoreTrees
    const { buffer } = kernel.memory
    this.#rows = new Float32Array(
      buffer,
      kernel.exports.treeRowsPointer(),
      ROWS_PER_BLOCK * featureCount,
    )
    this.#scores = new Float32Array(buffer, kernel.exports.treeScoresPointer(), ROWS_PER_BLOCK)
  }

  /** Null where a tree has more leaves than the kernel takes. */
  static create(
    module: WebAssembly.Module,
    ensemble: TreeEnsemble,
    featureCount: number,
  ): TreeKernel | null {
    const plan = planTrees(ensemble)
    if (plan === null) return null
    const kernel = placeKernel(module, CALLS)
    const { exports, memory } = kernel
    const { slotCount, splitCount, groupCount } = plan
    exports.layOutTrees(featureCount, ROWS_PER_BLOCK, slotCount, splitCount, groupCount)
    // Nothing is allocated from here on, so the views stay valid.
    new Int32Array(memory.buffer, exports.treeSlotsPointer()).set(plan.slots)
    new Int32Array(memory.buffer, exports.treeSplitsPointer()).set(plan.splits)
    new Int32Array(memory.buffer, exports.treeGroupsPointer()).set(plan.groups)
    new Float32Array(memory.buffer, exports.treeLeavesPointer()).set(plan.leaves)
    return new TreeKernel(ensemble, featureCount, kernel)
  }

  /**
   * Writes the margins of `rowCount` rows of a row-major matrix to `margin`: float32 sums in the
   * order of the trees and the base last, as ONNX Runtime does, so that they are equal to the bit.
   */
  score(matrix: Float32Array, rowCount: number, margin: Float32Array): void {
    const width = this.#featureCount
    for (let from = 0; from < rowCount; from += ROWS_PER_BLOCK) {
      const count = Math.min(ROWS_PER_BLOCK, rowCount - from)
      this.#rows.set(matrix.subarray(from * width, (from + count) * width))
      this.#scoreTrees(count)
      for (let i = 0; i < count; i++) margin[from + i] = this.#scores[i] + this.#base
    }
  }
}

interface Placed<Name extends string> {
  readonly exports: Exports<Name>
  readonly memory: WebAssembly.Memory
}

/** A new instance of foreshock.wasm, whose memory goes with the last reference to it. */
export function placeKernel<Name extends string>(
  module: WebAssembly.Module,
  calls: readonly Name[],
): Placed<Name> {
  const memory = new WebAssembly.Memory({ initial: PAGES_INITIAL })
  const env = { memory, abort: () => assert(false, 'a kernel aborted') }
  const { exports } = new WebAssembly.Instance(module, { env })
  for (const name of calls) {
    assert(typeof exports[name] === 'function', `foreshock.wasm has no ${name}: build it anew`)
  }
  return { exports: exports as unknown as Exports<Name>, memory }
}
