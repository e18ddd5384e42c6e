/** Margins of binned rows through the kernel that walks trees: exact, and without the float rows. */
import type { BinnedRows } from './bins.ts'
import { type Arena, openArena } from './boost-kernels.ts'
import { NODE_BYTES, NODES_MAX, writeTree } from './boost-memory.ts'
import type { Tree } from './booster.ts'

/** Rows that all trees of a group are walked for before the next ones are fetched. */
const ROWS_AT_ONCE = 4_096

interface Layout {
  readonly scores: number
  readonly trees: number
}

export class RowScorer {
  readonly #rows: BinnedRows
  readonly #arena: Arena<Layout>

  /** One column of margins per base. */
  constructor(module: WebAssembly.Module, rows: BinnedRows, bases: readonly number[]) {
    this.#rows = rows
    this.#arena = openArena(module, rows, (take) => ({
      scores: take(bases.length * rows.rowCount * 8),
      trees: take(NODES_MAX * NODE_BYTES),
    }))
    for (const [output, base] of bases.entries()) this.margins(output).fill(base)
  }

  /** A view, which the next training on these rows or the next scorer of them makes invalid. */
  margins(output: number): Float64Array {
    return new Float64Array(this.#arena.memory.buffer, this.#at(output, 0), this.#rows.rowCount)
  }

  add(trees: readonly Tree[], output: number): void {
    let group: Tree[] = []
    let nodes = 0
    for (const tree of trees) {
      if (nodes + tree.feature.length > NODES_MAX) {
        this.#addGroup(group, output)
        group = []
        nodes = 0
      }
      group.push(tree)
      nodes += tree.feature.length
    }
    this.#addGroup(group, output)
  }

  #addGroup(trees: readonly Tree[], output: number): void {
    const { kernels, memory, bins, layout } = this.#arena
    const { rowCount, stride } = this.#rows
    const addresses: number[] = []
    let at = layout.trees
    for (const tree of trees) {
      writeTree(memory.buffer, at, tree)
      addresses.push(at)
      at += tree.feature.length * NODE_BYTES
    }
    for (let row = 0; row < rowCount; row += ROWS_AT_ONCE) {
      const count = Math.min(ROWS_AT_ONCE, rowCount - row)
      const scores = this.#at(output, row)
      for (const tree of addresses) {
        kernels.gbdtAddTree(bins + row * stride, stride, count, tree, scores)
      }
    }
  }

  #at(output: number, row: number): number {
    return this.#arena.layout.scores + (output * this.#rows.rowCount + row) * 8
  }
}
