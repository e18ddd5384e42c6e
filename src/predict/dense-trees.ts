/**
 * A tree ensemble as products of matrices, which a GPU runs where it would leave a TreeEnsemble to the CPU
 * (the GEMM form of https://www.usenix.org/conference/osdi20/presentation/nakandala): every split of every
 * tree is asked at once, a product with +1 for "left of it" and -1 for "right of it" counts for each leaf
 * how many of its ancestors agree, and the leaf whose count is full is where the row ends.
 *
 * Rows come in as integer keys (row-keys.ts), so that splits are exact on every device. All products
 * are of numbers that ten bits of mantissa hold, so that reduced precision (TF32) changes nothing:
 * leaf values are sums of three such numbers.
 */
import type { EnsembleTree } from './onnx-trees.ts'
import { ELEMENT } from './onnx-schema.ts'
import { keyOf } from './tree-plan.ts'
import type { KeySlot } from './row-keys.ts'

/** Of the matrices of leaves, in the memory of the device. */
const BYTES_MAX = 128 * 2 ** 20
const PARTS = 3

export const KEYS = 'keys'

export interface DenseTrees {
  /** What the keys of a row are made of. */
  readonly slots: readonly KeySlot[]
  /** ONNX nodes that turn `keys` int32 [rows, slots] into the sum of the trees, float32 [rows, 1]. */
  readonly nodes: readonly object[]
  readonly initializers: readonly object[]
  /** Float32 of the widest tensor in between, for each row. */
  readonly floatsPerRow: number
}

/** Splits and leaves of one tree, each leaf with the splits above it and the side it lies on. */
interface Path {
  readonly value: number
  readonly above: readonly { readonly split: number; readonly left: boolean }[]
}

interface Split {
  readonly slot: number
  readonly thresholdKey: number
}

/** Null where the matrices would be too large. @param sum name of the output. */
export function denseTrees(
  trees: readonly EnsembleTree[],
  base: number,
  sum: string,
): DenseTrees | null {
  const slots = new Slots()
  const laid = trees.map((tree) => layPaths(tree, slots))
  // Trees of one leaf ask nothing, but a tensor of no columns cannot be gathered from.
  if (slots.all.length === 0) slots.indexOf(0, false)
  const treeCount = laid.length
  const splitsMax = Math.max(1, ...laid.map(({ splits }) => splits.length))
  const leavesMax = Math.max(1, ...laid.map(({ paths }) => paths.length))
  if (treeCount === 0 || treeCount * leavesMax * splitsMax * 4 > BYTES_MAX) return null
  const slotOf = new Int32Array(treeCount * splitsMax)
  const thresholds = new Int32Array(treeCount * splitsMax)
  const sides = new Float32Array(treeCount * leavesMax * splitsMax)
  // A leaf that a smaller tree lacks is never reached.
  const full = new Float32Array(treeCount * leavesMax).fill(-1)
  const values = new Float32Array(treeCount * PARTS * leavesMax)
  for (const [tree, { splits, paths }] of laid.entries()) {
    for (const [i, { slot, thresholdKey }] of splits.entries()) {
      slotOf[tree * splitsMax + i] = slot
      thresholds[tree * splitsMax + i] = thresholdKey
    }
    for (const [leaf, { value, above }] of paths.entries()) {
      const row = tree * leavesMax + leaf
      for (const { split, left } of above) sides[row * splitsMax + split] = left ? 1 : -1
      full[row] = above.filter(({ left }) => left).length
      for (const [part, share] of partsOf(value).entries()) {
        values[(tree * PARTS + part) * leavesMax + leaf] = share
      }
    }
  }
  return {
    slots: slots.all,
    floatsPerRow: treeCount * leavesMax,
    nodes: nodesOf(sum),
    initializers: [
      tensor('dense_slots', ELEMENT.int32, [slotOf.length], slotOf),
      tensor('dense_thresholds', ELEMENT.int32, [thresholds.length, 1], thresholds),
      tensor(
        'dense_shape',
        ELEMENT.int64,
        [3],
        BigInt64Array.of(BigInt(treeCount), BigInt(splitsMax), -1n),
      ),
      tensor('dense_sides', ELEMENT.float32, [treeCount, leavesMax, splitsMax], sides),
      tensor('dense_full', ELEMENT.float32, [treeCount, leavesMax, 1], full),
      tensor('dense_values', ELEMENT.float32, [treeCount, PARTS, leavesMax], values),
      tensor('dense_axes', ELEMENT.int64, [2], BigInt64Array.of(0n, 1n)),
      tensor('dense_base', ELEMENT.float32, [1], Float32Array.of(base)),
      tensor('dense_column', ELEMENT.int64, [2], BigInt64Array.of(-1n, 1n)),
    ],
  }
}

/** Rows are the last axis throughout, so that only the keys are transposed. Opset 13. */
function nodesOf(sum: string): readonly object[] {
  const toFloat = [{ name: 'to', type: 2, i: ELEMENT.float32 }]
  return [
    node('Transpose', [KEYS], 'dense_columns', [{ name: 'perm', type: 7, ints: [1, 0] }]),
    node('Gather', ['dense_columns', 'dense_slots'], 'dense_asked'),
    node('LessOrEqual', ['dense_asked', 'dense_thresholds'], 'dense_is_left'),
    node('Cast', ['dense_is_left'], 'dense_left', toFloat),
    node('Reshape', ['dense_left', 'dense_shape'], 'dense_by_tree'),
    node('MatMul', ['dense_sides', 'dense_by_tree'], 'dense_agreeing'),
    node('Equal', ['dense_agreeing', 'dense_full'], 'dense_is_leaf'),
    node('Cast', ['dense_is_leaf'], 'dense_leaf', toFloat),
    node('MatMul', ['dense_values', 'dense_leaf'], 'dense_parts'),
    node('ReduceSum', ['dense_parts', 'dense_axes'], 'dense_sum', [
      { name: 'keepdims', type: 2, i: 0 },
    ]),
    node('Add', ['dense_sum', 'dense_base'], 'dense_based'),
    node('Reshape', ['dense_based', 'dense_column'], sum),
  ]
}

function node(
  opType: string,
  input: readonly string[],
  output: string,
  attribute: readonly object[] = [],
): object {
  return { opType, input, output: [output], attribute, name: `dense_${opType}_${output}` }
}

function tensor(
  name: string,
  dataType: number,
  dims: readonly number[],
  { buffer, byteOffset, byteLength }: Float32Array | Int32Array | BigInt64Array,
): object {
  return { name, dataType, dims, rawData: new Uint8Array(buffer, byteOffset, byteLength) }
}

class Slots {
  readonly all: KeySlot[] = []
  readonly #indices = new Map<number, number>()

  indexOf(feature: number, missingLeft: boolean): number {
    const key = feature * 2 + (missingLeft ? 1 : 0)
    const known = this.#indices.get(key)
    if (known !== undefined) return known
    const index = this.all.length
    this.all.push({ feature, missingLeft })
    this.#indices.set(key, index)
    return index
  }
}

/** Without recursion: a tree of one long branch is as deep as it has leaves. */
function layPaths(tree: EnsembleTree, slots: Slots): { splits: Split[]; paths: Path[] } {
  const splits: Split[] = []
  const paths: Path[] = []
  const waiting: { readonly node: number; readonly above: Path['above'] }[] = [
    { node: 0, above: [] },
  ]
  while (waiting.length > 0) {
    const { node, above } = waiting.pop()!
    if (tree.feature[node] < 0) {
      paths.push({ value: tree.value[node], above })
      continue
    }
    const split = splits.length
    splits.push({
      slot: slots.indexOf(tree.feature[node], tree.missingLeft[node]),
      thresholdKey: keyOf(tree.threshold[node]),
    })
    waiting.push({ node: tree.right[node], above: [...above, { split, left: false }] })
    waiting.push({ node: tree.left[node], above: [...above, { split, left: true }] })
  }
  return { splits, paths }
}

/** Three floats of at most eleven significant bits that add up to the value. */
function partsOf(value: number): readonly number[] {
  const high = elevenBits(value)
  const middle = elevenBits(value - high)
  return [high, middle, value - high - middle]
}

const asFloat = new Float32Array(1)
const asBits = new Uint32Array(asFloat.buffer)

/** Cut off, not rounded, so that what is left has fewer bits. */
function elevenBits(value: number): number {
  asFloat[0] = value
  asBits[0] = (asBits[0] & 0xffff_e000) >>> 0
  return asFloat[0]
}
