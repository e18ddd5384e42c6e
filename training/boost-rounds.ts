/**
 * The rounds of a training: a tree per output each, and after some the quality on the validation rows.
 * What has grown so far can be taken out between rounds and put into another instance, which goes on
 * to the same trees, bit by bit: scores are sums over trees in their order, and are summed up again.
 */
import { assert, never } from '../src/core/errors.ts'
import { baseMargins } from './base-margins.ts'
import { openBoostMemory, writeTree, type BoostMemory } from './boost-memory.ts'
import { outputCount, type BoostData, type BoostParams } from './boost-params.ts'
import { growTree, type Growth, type Units } from './boost-tree.ts'
import type { Booster, Tree } from './booster.ts'
import { ColumnCache } from './column-cache.ts'
import { RowScorer } from './row-scorer.ts'
import { SeededRandom } from './seeded-random.ts'
import { validationQuality } from './validation-quality.ts'

/** How often the validation rows are ranked: sorting them costs about as much as a tree. */
const ROUNDS_PER_CHECK = 10
/** Sums of packed integers stay below this share of their 32 bits. */
const SUM_MAX = 2 ** 31 * 0.9

/** Everything that the next round depends on, beside data and parameters. */
export interface BoostState {
  readonly rounds: number
  readonly random: number
  /** One booster per output, with every tree so far. */
  readonly boosters: readonly Booster[]
  readonly quality: number | null
  readonly best: Best | null
}

interface Best {
  readonly rounds: number
  readonly quality: number
  /** Of each output. */
  readonly treeCounts: readonly number[]
}

/** Where to begin: at nothing, after some rounds, or with the trees of finished models, one an output. */
export type BoostStart =
  | { readonly kind: 'fresh' }
  | { readonly kind: 'resumed'; readonly state: BoostState }
  | { readonly kind: 'continued'; readonly boosters: readonly Booster[] }

interface Output {
  readonly base: number
  readonly trees: Tree[]
  readonly importance: Float64Array
}

export class BoostRounds {
  readonly #data: BoostData
  readonly #params: BoostParams
  readonly #memory: BoostMemory
  readonly #columns: ColumnCache
  readonly #random: SeededRandom
  readonly #outputs: readonly Output[]
  readonly #validation: RowScorer | null
  #rounds: number
  #quality: number | null
  #best: Best | null

  constructor(module: WebAssembly.Module, data: BoostData, params: BoostParams, start: BoostStart) {
    const { rows, validation } = data
    assert(rows.rowCount > 0 && params.leavesMax >= 2 && params.leavesMax <= 4_096)
    assert(rows.memory === undefined || rows.memory !== validation?.memory)
    const state = stateAt(start, data, params)
    assert(state.boosters.length === outputCount(params), 'a booster per output')
    this.#data = data
    this.#params = params
    this.#memory = openBoostMemory(module, data, params)
    this.#columns = new ColumnCache(this.#memory, rows)
    this.#random = SeededRandom.fromState(state.random)
    this.#outputs = state.boosters.map(({ base, trees, importance }) => ({
      base,
      trees: [...trees],
      importance: importance.slice(),
    }))
    const bases = state.boosters.map(({ base }) => base)
    this.#validation =
      validation === null || validation.rowCount === 0
        ? null
        : new RowScorer(module, validation, bases)
    this.#rounds = state.rounds
    this.#quality = state.quality
    this.#best = state.best
    this.#addWhatIsThere()
    // A model that is continued must become better than it was.
    if (start.kind === 'continued') this.#check()
  }

  get rounds(): number {
    return this.#rounds
  }

  /** On the validation rows, when last looked at; null without. */
  get quality(): number | null {
    return this.#quality
  }

  /** Grows a round; false when there is nothing more to grow, or was nothing better for long. */
  next(): boolean {
    const { treesMax, patience } = this.#params
    if (this.#rounds >= treesMax) return false
    const isStuck = this.#best !== null && this.#rounds - this.#best.rounds >= patience
    if (isStuck) return false
    if (this.#params.objective === 'softmax') this.#spreadProbabilities()
    let grown = 0
    for (const number of this.#outputs.keys()) if (this.#growOne(number)) grown++
    if (grown === 0) return false
    this.#rounds++
    if (this.#rounds % ROUNDS_PER_CHECK === 0 || this.#rounds === treesMax) this.#check()
    return true
  }

  /** Of all rows after the last round; a view until the next training on them. */
  margins(output: number): Float64Array {
    return new Float64Array(this.#memory.buffer, this.#scoresOf(output), this.#data.rows.rowCount)
  }

  state(): BoostState {
    return {
      rounds: this.#rounds,
      random: this.#random.state,
      boosters: this.#boosters(null),
      quality: this.#quality,
      best: this.#best,
    }
  }

  /** One per output, up to the round that was best on the validation rows. */
  result(): readonly Booster[] {
    return this.#boosters(this.#best)
  }

  #boosters(until: Best | null): readonly Booster[] {
    const { featureCount } = this.#data.rows
    return this.#outputs.map(({ base, trees, importance }, number) => ({
      featureCount,
      base,
      trees: trees.slice(0, until?.treeCounts[number]),
      importance: importance.slice(),
    }))
  }

  #addWhatIsThere(): void {
    const { rows } = this.#data
    const { buffer, layout, bins, kernels } = this.#memory
    for (const [number, { base, trees }] of this.#outputs.entries()) {
      const at = this.#scoresOf(number)
      new Float64Array(buffer, at, rows.rowCount).fill(base)
      for (const tree of trees) {
        writeTree(buffer, layout.tree, tree)
        kernels.gbdtAddTree(bins, rows.stride, rows.rowCount, layout.tree, at)
      }
      this.#validation?.add(trees, number)
    }
  }

  #growOne(number: number): boolean {
    const { trees, importance } = this.#outputs[number]
    const growth: Growth = {
      memory: this.#memory,
      columns: this.#columns,
      data: this.#data,
      params: this.#params,
      random: this.#random,
      importance,
      scores: this.#scoresOf(number),
    }
    const tree = growTree(growth, this.#quantise(number))
    if (tree === null) return false
    trees.push(tree)
    this.#validation?.add([tree], number)
    return true
  }

  #check(): void {
    const { validation } = this.#data
    if (this.#validation === null || validation === null) return
    const scorer = this.#validation
    const margins = this.#outputs.map((_, number) => scorer.margins(number))
    this.#quality = validationQuality(validation, margins, this.#params)
    if (this.#best !== null && this.#quality <= this.#best.quality) return
    this.#best = {
      rounds: this.#rounds,
      quality: this.#quality,
      treeCounts: this.#outputs.map(({ trees }) => trees.length),
    }
  }

  #scoresOf(number: number): number {
    return this.#memory.layout.scores + number * this.#data.rows.rowCount * 8
  }

  #spreadProbabilities(): void {
    const { kernels, layout } = this.#memory
    const { rowCount } = this.#data.rows
    kernels.gbdtSoftmax(layout.scores, rowCount, this.#outputs.length, layout.probabilities)
  }

  /** Packs this round's gradients; the scales keep both sums of all rows inside their 32 bits. */
  #quantise(number: number): Units {
    const { kernels, buffer, layout } = this.#memory
    const { rowCount } = this.#data.rows
    const { pairs, sums } = layout
    this.#gradients(number)
    const [gradientSum, hessianSum] = new Float64Array(buffer, sums, 2)
    const room = SUM_MAX - rowCount
    const gradientScale = room / Math.max(gradientSum, 1e-9)
    const hessianScale = room / Math.max(hessianSum, 1e-9)
    const seed = Math.floor(this.#random.next() * 2 ** 32)
    kernels.gbdtQuantise(pairs, rowCount, gradientScale, hessianScale, seed)
    return { gradient: 1 / gradientScale, hessian: 1 / hessianScale }
  }

  #gradients(number: number): void {
    const { kernels, layout } = this.#memory
    const { rowCount } = this.#data.rows
    const { labels, targets, weights, pairs, sums, probabilities } = layout
    const { objective, classCount } = this.#params
    const scores = this.#scoresOf(number)
    switch (objective) {
      case 'logistic':
        kernels.gbdtLogistic(scores, labels, weights, rowCount, pairs, sums)
        return
      case 'squared':
        kernels.gbdtSquared(scores, targets, weights, rowCount, pairs, sums)
        return
      case 'softmax': {
        const at = probabilities + number * rowCount * 8
        kernels.gbdtClass(at, labels, weights, rowCount, number, classCount, pairs, sums)
        return
      }
      default:
        never(objective)
    }
  }
}

function stateAt(start: BoostStart, { rows }: BoostData, params: BoostParams): BoostState {
  if (start.kind === 'resumed') return start.state
  const fresh = (): readonly Booster[] =>
    baseMargins(rows, params).map((base) => ({
      featureCount: rows.featureCount,
      base,
      trees: [],
      importance: new Float64Array(rows.featureCount),
    }))
  const boosters = start.kind === 'continued' ? start.boosters : fresh()
  const random = SeededRandom.fromSeed(params.seed).state
  return { rounds: 0, random, boosters, quality: null, best: null }
}
