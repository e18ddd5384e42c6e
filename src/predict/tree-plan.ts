/**
 * An ensemble as the kernel wants it: slots, splits, groups and leaf values, in the order and the
 * bytes that wasm/assembly/trees.ts describes.
 */
import type { EnsembleTree, TreeEnsemble } from './onnx-trees.ts'

/** 32 leaves, and one value that is read and never used. */
export const LEAVES_PER_GROUP = 33
export const LEAVES_PER_TREE_MAX = 256

const LEAVES_PER_WORD = 32
/** 16 rows of keys. */
const LANES_BYTES = 64
const FIRST = 1
const LAST = 2
/** Below and above the keys of all floats, infinities included. */
const MISSING_LEFT_KEY = -(2 ** 31)
const MISSING_RIGHT_KEY = 2 ** 31 - 1

/** Of one feature and one side for its missing values. */
interface Slot {
  readonly feature: number
  readonly missingKey: number
}

interface Split {
  readonly slot: number
  readonly thresholdKey: number
  readonly deadLeaves: number
}

interface Group {
  readonly flags: number
  readonly splits: readonly Split[]
  readonly values: readonly number[]
}

export interface TreePlan {
  readonly slotCount: number
  readonly splitCount: number
  readonly groupCount: number
  readonly slots: Int32Array
  readonly splits: Int32Array
  readonly groups: Int32Array
  readonly leaves: Float32Array
}

/** Null where a tree has more leaves than the kernel takes. */
export function planTrees({ trees }: TreeEnsemble): TreePlan | null {
  const slots = new Slots()
  const groups: Group[] = []
  for (const tree of trees) {
    const laid = layLeaves(tree, slots)
    if (laid.values.length > LEAVES_PER_TREE_MAX) return null
    groups.push(...groupsOf(laid))
  }
  const splits = groups.flatMap((group) => group.splits)
  const leaves = new Float32Array(groups.length * LEAVES_PER_GROUP)
  for (const [i, group] of groups.entries()) leaves.set(group.values, i * LEAVES_PER_GROUP)
  return {
    slotCount: slots.all.length,
    splitCount: splits.length,
    groupCount: groups.length,
    slots: Int32Array.from(
      slots.all.flatMap(({ feature, missingKey }) => [feature * 4, missingKey]),
    ),
    splits: Int32Array.from(
      splits.flatMap(({ slot, thresholdKey, deadLeaves }) => [
        slot * LANES_BYTES,
        thresholdKey,
        deadLeaves,
      ]),
    ),
    groups: Int32Array.from(groups.flatMap((group) => [group.splits.length, group.flags])),
    leaves,
  }
}

class Slots {
  readonly all: Slot[] = []
  readonly #indices = new Map<number, number>()

  indexOf(feature: number, missingLeft: boolean): number {
    const key = feature * 2 + (missingLeft ? 1 : 0)
    let index = this.#indices.get(key)
    if (index === undefined) {
      index = this.all.length
      this.all.push({ feature, missingKey: missingLeft ? MISSING_LEFT_KEY : MISSING_RIGHT_KEY })
      this.#indices.set(key, index)
    }
    return index
  }
}

/** A split with the leaves left of it: [from, to). */
interface Cut {
  readonly slot: number
  readonly thresholdKey: number
  readonly from: number
  readonly to: number
}

interface LaidTree {
  readonly cuts: readonly Cut[]
  /** Of the leaves, left to right. */
  readonly values: readonly number[]
}

/** Depth first without recursion: a tree of one long branch is as deep as it has leaves. */
function layLeaves(tree: EnsembleTree, slots: Slots): LaidTree {
  const cuts: Cut[] = []
  const values: number[] = []
  const waiting: { readonly node: number; readonly isLeftDone: boolean; readonly from: number }[] =
    [{ node: 0, isLeftDone: false, from: 0 }]
  while (waiting.length > 0) {
    const { node, isLeftDone, from } = waiting.pop()!
    const feature = tree.feature[node]
    if (feature < 0) {
      values.push(tree.value[node])
    } else if (isLeftDone) {
      const slot = slots.indexOf(feature, tree.missingLeft[node])
      cuts.push({ slot, thresholdKey: keyOf(tree.threshold[node]), from, to: values.length })
      waiting.push({ node: tree.right[node], isLeftDone: false, from: values.length })
    } else {
      waiting.push({ node, isLeftDone: true, from: values.length })
      waiting.push({ node: tree.left[node], isLeftDone: false, from: values.length })
    }
  }
  return { cuts, values }
}

/** The words of a tree, the last one first. */
function groupsOf({ cuts, values }: LaidTree): readonly Group[] {
  const wordCount = Math.ceil(values.length / LEAVES_PER_WORD)
  return Array.from({ length: wordCount }, (_, i) => {
    const word = wordCount - 1 - i
    const first = word * LEAVES_PER_WORD
    return {
      flags: (i === 0 ? FIRST : 0) | (word === 0 ? LAST : 0),
      values: values.slice(first, first + LEAVES_PER_WORD),
      splits: cuts.flatMap(({ slot, thresholdKey, from, to }) => {
        const deadLeaves = bits(from - first, to - first)
        return deadLeaves === 0 ? [] : [{ slot, thresholdKey, deadLeaves }]
      }),
    }
  })
}

/** Bits [from, to) of a word, cut to 0..32. */
function bits(from: number, to: number): number {
  const below = (count: number) => 2 ** Math.min(Math.max(count, 0), LEAVES_PER_WORD) - 1
  return (below(to) - below(from)) | 0
}

const asFloat = new Float32Array(1)
const asInt = new Int32Array(asFloat.buffer)

/** An integer in the order of the floats; 0 and -0 have the same. */
export function keyOf(value: number): number {
  asFloat[0] = value + 0
  return asInt[0] ^ ((asInt[0] >> 31) & 0x7fff_ffff)
}
