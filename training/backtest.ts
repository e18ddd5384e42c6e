/**
 * `foreshock backtest`: a model, judged on the nodes of a history that its training never saw. The
 * float rows of the serving table go through the predictor that serves.
 */
import { ServiceError } from '../src/core/errors.ts'
import { capByLonger } from '../src/core/horizons.ts'
import type { CardPart, Figures, ModelCard, Quality, TradeoffPoint } from '../src/core/model.ts'
import type { NodeClass } from '../src/core/node.ts'
import { featureNames } from '../src/state/features.ts'
import { judge, judgeBaselines, scoredRows } from './evaluate.ts'
import { figuresOf } from './figures.ts'
import { foldHistory, type FoldedRow } from './fold.ts'
import { openHistory, type History } from './history.ts'
import { failureAtMsOf, isKnown, type Lives } from './labels.ts'
import type { Manifest } from './manifest.ts'
import { readTrainedHashes } from './model-files.ts'
import { doubled, FactStore, type RowFacts } from './row-store.ts'
import { baselineRules } from './rules.ts'
import { pointAt, tradeoff, type Tradeoff } from './tradeoff.ts'

const ROWS_AT_FIRST = 4_096

/** A loaded model: src/predict gives one, and the caller has checked that it fits the node class. */
export interface Scorer {
  readonly card: ModelCard
  predict(
    matrix: Float32Array,
    rowCount: number,
  ): Promise<{ readonly probability: Float32Array; readonly margin: Float32Array }>
  /** Of shorter horizons, rising; absent: it has but one. */
  readonly shorter?: readonly Scorer[]
}

export interface BacktestOptions {
  readonly manifest: Manifest
  readonly nodeClass: NodeClass
  readonly dataDir: string
  /** Holds the list of nodes seen in training. */
  readonly modelDir: string
  readonly scorer: Scorer
  /** The parts that the card names, loaded. */
  readonly parts?: readonly { readonly part: CardPart; readonly scorer: Scorer }[]
  /** dist/foreshock.wasm, compiled. */
  readonly module: WebAssembly.Module
  /** Failures count as foreseen in the trade-off only when seen this long before. */
  readonly leadMinMs?: number
  /** 0..1 of the history. */
  readonly onProgress?: (doneRatio: number) => void
  readonly signal?: AbortSignal
}

export interface HorizonQuality {
  readonly horizonMs: number
  readonly quality: Quality
}

export interface Backtest {
  readonly model: Quality
  /** Rising, as they are served; the last is that of the model, and the only one where it has no others. */
  readonly horizons: readonly HorizonQuality[]
  readonly figures: Figures
  readonly tradeoff: Tradeoff
  /** What acting at the card's point would have brought. */
  readonly acting: TradeoffPoint
  /** By name; `base-rate` is always among them. */
  readonly baselines: Readonly<Record<string, Quality>>
  /** Nodes that training saw; those of them in this history were left out. */
  readonly trainedNodeCount: number
}

/** ServiceError HISTORY_EMPTY when training has seen every node, and those of `openHistory`. */
export async function backtest(options: BacktestOptions): Promise<Backtest> {
  const { manifest, nodeClass, dataDir, modelDir, scorer } = options
  const trained = await readTrainedHashes(modelDir)
  const history = await openHistory(manifest, nodeClass, dataDir)
  try {
    const scored = await scoreHistory(options, history, trained)
    const { facts, lives, probabilities } = scored
    if (probabilities.length === 0) {
      throw new ServiceError(
        'HISTORY_EMPTY',
        `history \`${manifest.name}\` in ${dataDir} has no labelled rows of nodes that model \`${scorer.card.name}\` in ${modelDir} was not trained on: bring other nodes`,
      )
    }
    const rowsOf = (scores: Float32Array) =>
      scoredRows(facts, scores, nodeClass.predictionIntervalMs, manifest.horizonMs)
    const rows = rowsOf(probabilities)
    const { actingPoint } = scorer.card
    const model = judge(rows, actingPoint, manifest.alerts.budgets)
    return {
      model,
      horizons: [
        ...judgeShorter(options, scored),
        { horizonMs: manifest.horizonMs, quality: model },
      ],
      figures: figuresOf({
        facts,
        lives,
        probabilities,
        parts: scored.parts,
        intervalMs: nodeClass.predictionIntervalMs,
      }),
      tradeoff: tradeoff(rows, options.leadMinMs),
      acting: pointAt(rows, actingPoint, options.leadMinMs),
      baselines: judgeBaselines(manifest, facts, nodeClass.predictionIntervalMs),
      trainedNodeCount: trained.size,
    }
  } finally {
    history.close()
  }
}

/** Each capped by the next longer one, at the acting point of its own card. */
function judgeShorter(
  { manifest, nodeClass, scorer }: BacktestOptions,
  { facts, lives, probabilities, shorter }: ScoredHistory,
): readonly HorizonQuality[] {
  let longer = probabilities
  const judged = (scorer.shorter ?? []).toReversed().map(({ card }, i) => {
    const { horizonMs } = card
    longer = capByLonger(shorter.at(-1 - i)!, longer)
    const labels = Array.from(facts.node, (node, row) =>
      lives.labelOf(node, facts.atMs[row], horizonMs),
    )
    const known = Uint32Array.from(labels.keys()).filter((row) => isKnown(labels[row]))
    const rows = scoredRows(
      {
        node: known.map((row) => facts.node[row]),
        atMs: Float64Array.from(known, (row) => facts.atMs[row]),
        labels: Uint8Array.from(known, (row) => (labels[row].kind === 'positive' ? 1 : 0)),
        failureAtMs: Float64Array.from(known, (row) => failureAtMsOf(labels[row])),
      },
      Float32Array.from(known, (row) => longer[row]),
      nodeClass.predictionIntervalMs,
      horizonMs,
    )
    const quality = judge(rows, card.validation.threshold, manifest.alerts.budgets)
    return { horizonMs, quality }
  })
  return judged.toReversed()
}

interface ScoredHistory {
  readonly facts: RowFacts
  readonly lives: Lives
  readonly probabilities: Float32Array
  /** In the order of the scorer's. */
  readonly shorter: readonly Float32Array[]
  readonly parts: readonly { readonly part: CardPart; readonly scores: Float32Array }[]
}

async function scoreHistory(
  options: BacktestOptions,
  history: History,
  trained: ReadonlySet<number>,
): Promise<ScoredHistory> {
  const { manifest, nodeClass, scorer, onProgress } = options
  const rules = baselineRules(manifest, featureNames(nodeClass))
  const rows = new FactStore(rules.length)
  const queue = new ScoreQueue(scorer, 'probability')
  const parts = (options.parts ?? []).map((loaded) => ({
    part: loaded.part,
    queue: new ScoreQueue(
      loaded.scorer,
      loaded.part.target === 'remaining' ? 'margin' : 'probability',
    ),
  }))
  const shorter = (scorer.shorter ?? []).map((one) => new ScoreQueue(one, 'probability'))
  const queues = [queue, ...shorter, ...parts.map((part) => part.queue)]
  const scoreQueued = async (): Promise<void> => {
    for (const waiting of queues) await waiting.scoreQueued()
  }
  const { lives } = await foldHistory({
    ...options,
    history,
    nodeClass,
    wanted: (hash) => !trained.has(hash),
    onRow: (row) => {
      if (row.onlyFit) return
      rows.add(
        row,
        rules.map((rule) => rule(row)),
      )
      for (const waiting of queues) waiting.add(row)
    },
    onPause: scoreQueued,
    onProgress: (count) => onProgress?.(count / history.sampleCount),
  })
  await scoreQueued()
  return {
    facts: rows.facts(),
    lives,
    probabilities: queue.scores(),
    shorter: shorter.map((one) => one.scores()),
    parts: parts.map((part) => ({ part: part.part, scores: part.queue.scores() })),
  }
}

/** Rows wait here between the synchronous fold and the asynchronous model. */
class ScoreQueue {
  readonly #scorer: Scorer
  readonly #kept: 'probability' | 'margin'
  readonly #width: number
  #matrix = new Float32Array(0)
  #queued = 0
  #scores = new Float32Array(ROWS_AT_FIRST)
  #scored = 0

  constructor(scorer: Scorer, kept: 'probability' | 'margin') {
    this.#scorer = scorer
    this.#kept = kept
    this.#width = scorer.card.features.length
    this.#matrix = new Float32Array(ROWS_AT_FIRST * this.#width)
  }

  add({ matrix, from }: FoldedRow): void {
    const to = this.#queued++ * this.#width
    if (to === this.#matrix.length) this.#matrix = doubled(this.#matrix)
    this.#matrix.set(matrix.subarray(from, from + this.#width), to)
  }

  async scoreQueued(): Promise<void> {
    if (this.#queued === 0) return
    const scores = await this.#scorer.predict(this.#matrix, this.#queued)
    while (this.#scored + this.#queued > this.#scores.length) {
      this.#scores = doubled(this.#scores)
    }
    this.#scores.set(scores[this.#kept].subarray(0, this.#queued), this.#scored)
    this.#scored += this.#queued
    this.#queued = 0
  }

  scores(): Float32Array {
    return this.#scores.subarray(0, this.#scored)
  }
}
