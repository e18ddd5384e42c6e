/**
 * The models of one class on their trial, beside what the watcher says of its nodes: it scores the
 * challenger, waits for outcomes, and counts what drift is measured from. Nothing of it is acted upon.
 * While the challenger serves canary pools, the two are compared on the nodes of these alone.
 * All of it is a function of the log, so a rebuilt watcher tells the same figures.
 */
import { cloudEventHeaders, timeOf } from '../core/cloudevent.ts'
import { logOutput } from '../core/log.ts'
import {
  DEFAULT_DRIFT,
  DEFAULT_PROMOTION,
  type DriftRules,
  MODEL_POOL_PARTITION,
  type ModelAssignment,
  type OutcomeCounts,
  type OutcomeRecord,
  type PromotionRules,
} from '../core/model-life.ts'
import type { PoolId } from '../core/ids.ts'
import type { Intervention, NodeClass } from '../core/node.ts'
import { topicName, type Topology } from '../core/topics.ts'
import type { LoadedModel } from '../predict/model-library.ts'
import type { NodeTable } from '../state/node-table.ts'
import type { FeatureRows } from '../state/table-views.ts'
import type { Telling } from './class-report.ts'
import { DriftCounter } from './drift-counter.ts'
import { MovedNodes } from './moved-nodes.ts'
import { FOLLOWED_NODES_MAX, OutcomeTally } from './outcome-tally.ts'
import { PredictionBatch, PREDICTIONS_PER_BATCH_MAX } from './prediction-batch.ts'
import { modelRef, type ScoredRows } from './served-models.ts'

/** Outcomes are told at most this often, of the log's time. */
const TOLD_EVERY_MS = 60_000

const NOTHING: OutcomeCounts = {
  exposureMs: 0,
  quiet: { champion: {}, challenger: {} },
  failures: [],
  unscoredFailureCount: 0,
  rowCount: 0,
  squaredErrors: { champion: 0, challenger: 0 },
}

export interface ClassJudgeOptions {
  readonly partition: number
  readonly topology: Topology
  readonly source: string
  readonly nodeClass: NodeClass
  readonly table: NodeTable
  readonly drift?: DriftRules
  readonly promotion?: PromotionRules
}

export class ClassJudge {
  readonly #options: ClassJudgeOptions
  #assignment: ModelAssignment
  #champion: LoadedModel | null
  #challenger: LoadedModel | null = null
  /** Where the challenger serves; null: nowhere. */
  #canaryPools: ReadonlySet<PoolId> | null = null
  #tally: OutcomeTally | null = null
  /** Outlasts trials, as the nodes do. */
  readonly #moved = new MovedNodes()
  #drift: DriftCounter | null = null
  #batch: PredictionBatch | null = null
  #batchCount = 0
  #toldAt = -1
  /** The coordinator hears once who serves, before there is any outcome. */
  #introduced = false

  constructor(options: ClassJudgeOptions, champion: LoadedModel | null) {
    this.#options = options
    this.#champion = champion
    const { name: nodeClass } = options.nodeClass
    const id = champion?.id ?? null
    this.#assignment = { nodeClass, champion: id, challenger: null, trial: 0 }
    this.#begin()
  }

  /** From here on; rows that wait for their outcome belong to other models and are dropped. */
  assign(
    assignment: ModelAssignment,
    champion: LoadedModel | null,
    challenger: LoadedModel | null,
    canaryPools: ReadonlySet<PoolId> | null,
  ): void {
    this.#assignment = assignment
    this.#champion = champion
    this.#challenger = challenger
    this.#canaryPools = canaryPools
    this.#begin()
  }

  get champion(): LoadedModel | null {
    return this.#champion
  }

  /** Rows that have just been scored, in the table's buffer. */
  async take(telling: Telling, rows: FeatureRows, { champion, canary }: ScoredRows): Promise<void> {
    this.#drift?.take(rows, champion)
    const other = await this.#challenge(telling, rows, canary)
    const tally = this.#tally
    if (tally === null) return
    const { node, atMs, trigger } = rows
    const { table } = this.#options
    const pools = this.#canaryPools
    for (let row = 0; row < rows.count; row++) {
      if (trigger[row] !== 0) continue
      if (pools !== null && !pools.has(table.poolOf(node[row]))) continue
      tally.note(node[row], atMs[row], champion[row], other === null ? 0 : other[row])
    }
  }

  /** A node of `pool` has failed. */
  failed(index: number, atMs: number, pool: PoolId): void {
    const isCompared = this.#canaryPools === null || this.#canaryPools.has(pool)
    if (isCompared) this.#tally?.failed(index, atMs)
    else this.#tally?.uncertain(index)
    this.#moved.forget(index)
  }

  /** A node has left. */
  left(index: number): void {
    this.#tally?.uncertain(index)
    this.#moved.forget(index)
  }

  /** Work was moved off a node in time, or is let back. */
  intervened(index: number, intervention: Intervention): void {
    if (index < FOLLOWED_NODES_MAX) this.#moved.note(index, intervention)
  }

  uncertain(index: number): void {
    this.#tally?.uncertain(index)
  }

  /** What has become known since; call it at ticks. */
  tell(telling: Telling): void {
    if (this.#batch !== null && this.#batch.count > 0) this.#sendBatch(telling)
    const at = Math.floor(telling.nowMs / TOLD_EVERY_MS)
    if (this.#tally === null || at === this.#toldAt) return
    this.#toldAt = at
    const outcomes = this.#tally.take(telling.nowMs)
    const drift = this.#drift?.ended(telling.nowMs) ?? null
    // Canary pools may be empty: then the coordinator still hears how time goes by.
    const isQuiet = outcomes === null && drift === null && this.#canaryPools === null
    if (isQuiet && this.#introduced) return
    this.#introduced = true
    const { topology, partition: source, nodeClass } = this.#options
    const record: OutcomeRecord = {
      source,
      nodeClass: nodeClass.name,
      trial: this.#assignment.trial,
      champion: this.#champion?.id ?? null,
      outcomes: outcomes ?? NOTHING,
      drift,
    }
    telling.outputs.push(
      logOutput(
        topicName(topology, 'pool-log'),
        MODEL_POOL_PARTITION,
        'model-outcomes',
        nodeClass.name,
        record,
      ),
    )
  }

  #begin(): void {
    const { nodeClass, table, drift = DEFAULT_DRIFT } = this.#options
    const { movedWeight } = this.#options.promotion ?? DEFAULT_PROMOTION
    const [champion, challenger] = [this.#champion, this.#challenger]
    const { predictionIntervalMs: intervalMs } = nodeClass
    this.#introduced = false
    this.#tally =
      champion &&
      new OutcomeTally({
        horizonMs: champion.predictor.card.horizonMs,
        intervalMs,
        actingPoint: champion.predictor.card.actingPoint,
        paired: challenger !== null,
        moved: this.#moved,
        movedWeight,
      })
    const reference = champion?.reference ?? null
    const { windowMs } = drift
    const { featureNames } = table
    this.#drift = reference && new DriftCounter(reference, { windowMs, intervalMs, featureNames })
    this.#batch =
      challenger &&
      new PredictionBatch(nodeClass.name, modelRef(challenger.predictor), 'challenger')
  }

  /** The challenger's probabilities of rows at grid times; null without one. `known`: as a canary. */
  async #challenge(
    telling: Telling,
    rows: FeatureRows,
    known: Float32Array | null,
  ): Promise<Float32Array | null> {
    const [challenger, batch] = [this.#challenger, this.#batch]
    if (challenger === null || batch === null || !rows.trigger.includes(0)) return null
    const probability =
      known ?? (await challenger.predictor.predict(rows.matrix, rows.count)).probability
    const { table } = this.#options
    // Where it serves, its rows are told with what is served.
    const pools = this.#canaryPools
    const takes = pools && ((row: number) => !pools.has(table.poolOf(rows.node[row])))
    for (let row = 0; row < rows.count;) {
      row = batch.add(table, rows, probability, row, takes)
      if (batch.count === PREDICTIONS_PER_BATCH_MAX) this.#sendBatch(telling)
    }
    return probability
  }

  #sendBatch({ outputs, nowMs }: Telling): void {
    const { topology, source, partition, nodeClass } = this.#options
    const serial = `${this.#assignment.trial}.${++this.#batchCount}`
    const event = {
      type: 'foreshock.prediction.shadow',
      source,
      id: `${nodeClass.name}/${partition}/challenger/${serial}`,
      subject: nodeClass.name,
    }
    const headers = cloudEventHeaders(event, timeOf(nowMs), 'application/vnd.apache.arrow.stream')
    outputs.push({
      topic: topicName(topology, 'predictions.batches'),
      partition,
      key: null,
      value: this.#batch!.build(),
      headers: { ...headers, role: 'challenger' },
    })
  }
}
