/**
 * Random search with successive halving (Jamieson and Talwalkar, 2016) over the parameters of training.
 * A trial is judged on folds of the fit slice, by node: each fold is ranked by trees that never saw its
 * nodes, and what counts is the mean average precision. Every trial first grows a ninth of its trees, the
 * best third of them a third, and the best third of those all; none is begun anew. The parameters that
 * the manifest has are the first trial. Validation and test slices are not looked at.
 */
import { setImmediate as breathe } from 'node:timers/promises'
import { ServiceError } from '../src/core/errors.ts'
import { DEFAULT_BOOST, type BoostData, type BoostParams } from './boost-params.ts'
import { BoostRounds, type BoostStart, type BoostState } from './boost-rounds.ts'
import { drawTrial, type Trial } from './search-space.ts'
import { SeededRandom } from './seeded-random.ts'
import { weightedPrecision } from './weighted-precision.ts'

/** Share of a trial's trees at each step, and of the trials that go on to the next. */
const STEPS = [1 / 9, 1 / 3, 1]
const GO_ON = 1 / 3
/** A fold is ranked this many times a step. */
const RANKINGS = 5

export interface TuneOptions {
  readonly module: WebAssembly.Module
  /** The fit slice; nothing else is used. */
  readonly data: Omit<BoostData, 'validation'>
  /** Of each row: 0..folds-1, the same for all rows of a node. */
  readonly foldOf: Uint8Array
  readonly folds: number
  /** What the manifest has. */
  readonly first: Trial
  /** How many are tried, the first among them. */
  readonly trials: number
  readonly seed: number
  readonly signal?: AbortSignal
  readonly onProgress: (doneRatio: number, detail: string) => void
}

export interface TriedTrial {
  readonly trial: Trial
  /** Mean average precision over the folds, at the best number of trees up to where it came. */
  readonly quality: number
  readonly trees: number
  /** 1: it grew all its trees. */
  readonly share: number
}

/** Best first; those that came further are before those that did not. */
export async function tune(options: TuneOptions): Promise<readonly TriedTrial[]> {
  const random = SeededRandom.fromSeed(options.seed)
  const drawn = Array.from({ length: options.trials - 1 }, () => drawTrial(random))
  const work = new Work(options)
  let running = [options.first, ...drawn].map((trial) => new Running(trial, options.folds))
  const over: Running[] = []
  for (const share of STEPS) {
    for (const trial of running) await work.grow(trial, share)
    running.sort((a, b) => b.best.quality - a.best.quality)
    const left = share === 1 ? 0 : Math.ceil(running.length * GO_ON)
    over.unshift(...running.splice(left))
  }
  return over.map(({ trial, best, share }) => ({ trial, ...best, share }))
}

/** Growth of one trial on every fold, and what it has been worth. */
class Running {
  readonly trial: Trial
  readonly states: (BoostState | null)[]
  /** By number of trees: average precision of each fold so far. */
  readonly curve = new Map<number, number[]>()
  share = 0

  constructor(trial: Trial, folds: number) {
    this.trial = trial
    this.states = Array.from({ length: folds }, () => null)
  }

  get best(): { readonly quality: number; readonly trees: number } {
    let best = { quality: -1, trees: 0 }
    for (const [trees, qualities] of this.curve) {
      const quality = qualities.reduce((sum, each) => sum + each, 0) / this.states.length
      if (quality > best.quality) best = { quality, trees }
    }
    return best
  }

  add(trees: number, quality: number): void {
    const those = this.curve.get(trees)
    if (those === undefined) this.curve.set(trees, [quality])
    else those.push(quality)
  }
}

class Work {
  readonly #options: TuneOptions
  /** Trees grown, and how many there are to grow in all as far as is known. */
  #grown = 0
  #planned = 0

  constructor(options: TuneOptions) {
    this.#options = options
    const mean = options.first.treesMax * options.folds
    let running = options.trials
    let before = 0
    for (const share of STEPS) {
      this.#planned += running * mean * (share - before)
      running = Math.ceil(running * GO_ON)
      before = share
    }
  }

  async grow(running: Running, share: number): Promise<void> {
    const { folds } = this.#options
    for (let fold = 0; fold < folds; fold++) await this.#growFold(running, fold, share)
    running.share = share
  }

  async #growFold(running: Running, fold: number, share: number): Promise<void> {
    const { module, data, foldOf, seed, signal } = this.#options
    const { trial } = running
    const { rows } = data
    const weights = rows.weights.map((weight, row) => (foldOf[row] === fold ? 0 : weight))
    const params: BoostParams = { ...DEFAULT_BOOST, ...trial, seed }
    const kept = running.states[fold]
    const start: BoostStart = kept === null ? { kind: 'fresh' } : { kind: 'resumed', state: kept }
    const learned = { ...data, rows: withWeights(rows, weights), validation: null }
    const rounds = new BoostRounds(module, learned, params, start)
    const from = rounds.rounds
    const until = Math.max(1, Math.round(trial.treesMax * share))
    const every = Math.max(1, Math.ceil((until - from) / RANKINGS))
    while (rounds.rounds < until && rounds.next()) {
      this.#grown++
      await breathe()
      if (signal?.aborted === true) {
        throw new ServiceError('INTERRUPTED', 'tuning was interrupted; nothing was written')
      }
      this.#tell(running)
      const isDue = (rounds.rounds - from) % every === 0 || rounds.rounds === until
      if (isDue) running.add(rounds.rounds, this.#quality(rounds, fold))
    }
    running.states[fold] = rounds.state()
  }

  /** Of the rows of a fold, which the rounds did not learn from. */
  #quality(rounds: BoostRounds, fold: number): number {
    const { data, foldOf } = this.#options
    const margins = rounds.margins(0)
    const isHeld = (_: number, row: number) => foldOf[row] === fold
    return weightedPrecision(
      margins.filter(isHeld),
      data.rows.labels.filter(isHeld),
      data.rows.weights.filter(isHeld),
    )
  }

  #tell(running: Running): void {
    const { trial, best } = running
    const quality = best.quality < 0 ? '' : `, PR-AUC ${best.quality.toFixed(4)}`
    const settings = `${trial.leavesMax} leaves, learning rate ${trial.learningRate}`
    // Trials have more or fewer trees than the first, so the end is an estimate.
    const doneRatio = Math.min(0.99, this.#grown / this.#planned)
    this.#options.onProgress(doneRatio, `${settings}${quality}`)
  }
}

/** Spreading rows would read their bins, which may move, once and for all. */
function withWeights(rows: BoostData['rows'], weights: Float32Array): BoostData['rows'] {
  return {
    rowCount: rows.rowCount,
    featureCount: rows.featureCount,
    stride: rows.stride,
    get bins() {
      return rows.bins
    },
    labels: rows.labels,
    weights,
    ...(rows.memory === undefined ? {} : { memory: rows.memory }),
  }
}
