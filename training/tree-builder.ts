/**
 * A tree while it grows, and how it is written down.
 *
 * A split on a category sends one value left and all others right. A written tree knows only "at or
 * below a threshold", so such a split becomes a chain of up to two thresholds, and what comes on its
 * right side is written on both sides of the value, without what can no longer happen there. Every
 * runtime thus reads the same plain tree; the price is a few more nodes.
 */
import { binLimit, type Bounds } from './bins.ts'
import type { Tree } from './booster.ts'

/** Of values 0..254; those from `first` on, `span` of them, go left. */
export interface NodeSplit {
  readonly feature: number
  readonly first: number
  readonly span: number
  readonly missingLeft: number
}

interface GrowingNode {
  split: (NodeSplit & { readonly left: number; readonly right: number }) | null
  value: number
}

/** Every number is in this bin or below. */
const LAST_BIN = 254

export class TreeBuilder {
  readonly #nodes: GrowingNode[] = []

  /** A new leaf. */
  add(): number {
    return this.#nodes.push({ split: null, value: 0 }) - 1
  }

  split(node: number, split: NodeSplit): readonly [number, number] {
    const left = this.add()
    const right = this.add()
    this.#nodes[node].split = { ...split, left, right }
    return [left, right]
  }

  setLeaf(node: number, value: number): void {
    this.#nodes[node].value = Math.fround(value)
  }

  valueOf(node: number): number {
    return this.#nodes[node].value
  }

  done(bounds: Bounds, categorical: readonly boolean[] | undefined): WrittenTree {
    const writer = new TreeWriter(this.#nodes, bounds, categorical ?? [])
    writer.write(0, new Map())
    return writer.tree()
  }
}

export interface WrittenTree {
  /** Without covers. */
  readonly tree: Tree
  /** Leaves of the tree by the grown node they were written of: several where that has copies. */
  readonly copies: ReadonlyMap<number, readonly number[]>
}

/** What can still come to a node: bins low..high of a feature, and its missing values. */
interface Reach {
  readonly low: number
  readonly high: number
  readonly missing: boolean
}

const EVERYTHING: Reach = { low: 0, high: LAST_BIN, missing: true }

type Reaches = ReadonlyMap<number, Reach>

class TreeWriter {
  readonly #nodes: readonly GrowingNode[]
  readonly #bounds: Bounds
  readonly #categorical: readonly boolean[]
  readonly #feature: number[] = []
  readonly #threshold: number[] = []
  readonly #bin: number[] = []
  readonly #missingLeft: number[] = []
  readonly #left: number[] = []
  readonly #right: number[] = []
  readonly #value: number[] = []
  readonly #copies = new Map<number, number[]>()

  constructor(nodes: readonly GrowingNode[], bounds: Bounds, categorical: readonly boolean[]) {
    this.#nodes = nodes
    this.#bounds = bounds
    this.#categorical = categorical
  }

  /** Writes what grew below `node`; returns its number in the written tree. */
  write(node: number, reaches: Reaches): number {
    const { split, value } = this.#nodes[node]
    if (split === null) {
      const leaf = this.#add(value)
      const copies = this.#copies.get(node)
      if (copies === undefined) this.#copies.set(node, [leaf])
      else copies.push(leaf)
      return leaf
    }
    if (this.#categorical[split.feature]) return this.#writeCategory(split, reaches)
    const { feature, first, span, missingLeft, left, right } = split
    const at = this.#addSplit(feature, first + span - 1, missingLeft)
    this.#left[at] = this.write(left, reaches)
    this.#right[at] = this.write(right, reaches)
    return at
  }

  tree(): WrittenTree {
    const tree = {
      feature: Int32Array.from(this.#feature),
      threshold: Float32Array.from(this.#threshold),
      bin: Uint8Array.from(this.#bin),
      missingLeft: Uint8Array.from(this.#missingLeft),
      left: Int32Array.from(this.#left),
      right: Int32Array.from(this.#right),
      value: Float32Array.from(this.#value),
    }
    return { tree, copies: this.#copies }
  }

  #writeCategory(split: NonNullable<GrowingNode['split']>, reaches: Reaches): number {
    const { feature, first, span, missingLeft, left, right } = split
    const reach = reaches.get(feature) ?? EVERYTHING
    const among = (part: Reach): Reaches => new Map(reaches).set(feature, part)
    const { low, high, missing } = reach
    if (low > high) return this.write(missingLeft === 1 ? left : right, reaches)
    const isReached = span === 1 && first >= low && first <= high
    if (missing && (!isReached || low === high)) {
      // Numbers and missing values part first; both sides then know which child is theirs.
      const numbers = { ...reach, missing: false }
      const at = this.#addSplit(feature, LAST_BIN, 0)
      this.#left[at] = this.#writeCategory(split, among(numbers))
      this.#right[at] = this.#writeCategory(split, among({ low: 1, high: 0, missing: true }))
      return at
    }
    if (!isReached) return this.write(right, reaches)
    if (low === high) return this.write(left, reaches)
    if (low < first) {
      const at = this.#addSplit(feature, first - 1, missing ? 1 : 0)
      this.#left[at] = this.#writeCategory(split, among({ low, high: first - 1, missing }))
      this.#right[at] = this.#writeCategory(split, among({ low: first, high, missing: false }))
      return at
    }
    const at = this.#addSplit(feature, first, 0)
    this.#left[at] = this.#writeCategory(split, among({ low, high: first, missing: false }))
    this.#right[at] = this.#writeCategory(split, among({ low: first + 1, high, missing }))
    return at
  }

  #addSplit(feature: number, bin: number, missingLeft: number): number {
    const at = this.#add(0)
    this.#feature[at] = feature
    this.#bin[at] = bin
    this.#threshold[at] = binLimit(this.#bounds[feature], bin)
    this.#missingLeft[at] = missingLeft
    return at
  }

  #add(value: number): number {
    for (const column of [this.#threshold, this.#bin, this.#missingLeft, this.#left, this.#right]) {
      column.push(0)
    }
    this.#value.push(value)
    return this.#feature.push(-1) - 1
  }
}
