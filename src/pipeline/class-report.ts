/**
 * What a watcher says of the nodes of one class: predictions, assessments, cohort counts.
 *
 * It turns the feature rows and the liveness of one node table into outputs. What was last said of
 * a node is part of the state, so a rebuilt watcher repeats nothing.
 */
import type { Assessment, AssessmentRecord, Liveness, NodeAnomaly } from '../core/assessment.ts'
import type { Output } from '../core/bus.ts'
import { cloudEventHeaders, timeOf } from '../core/cloudevent.ts'
import type { PoolId } from '../core/ids.ts'
import { logOutput } from '../core/log.ts'
import type { NodeClass } from '../core/node.ts'
import { partitionOf } from '../core/partition.ts'
import { topicName, type Topology } from '../core/topics.ts'
import type { Policy } from '../core/policy.ts'
import type { CohortWindow } from '../state/cohorts.ts'
import type { ClassJudge } from './class-judge.ts'
import type { NodeTable } from '../state/node-table.ts'
import type { FeatureRows } from '../state/table-views.ts'
import { AnomalyWatch } from './anomaly-watch.ts'
import { type PredictionBatch, PREDICTIONS_PER_BATCH_MAX } from './prediction-batch.ts'
import { DETAILED_NODES_MAX, type Scored } from './report-rule.ts'
import { toEveryPartition } from './role.ts'
import {
  type Canary,
  type ScoringModel,
  type ServableModel,
  ServedModels,
} from './served-models.ts'
import { Signals } from './signals.ts'
import { Suspects } from './suspects.ts'
import { featuresOf, predictionOutputs, type ToldPrediction } from './told-predictions.ts'

/** Explained rows per folded record; the rest of a wave is explained at its next grid time. */
const EXPLAINED_ROWS_MAX = 32

/** What is the same for all classes of a watcher while one record is folded. */
export interface Telling {
  readonly outputs: Output[]
  readonly nowMs: number
  readonly observedAtMs: number
  /** Our own view is behind: liveness is unknown. */
  readonly late: boolean
  explainedCount: number
}

export interface ClassReportOptions {
  readonly partition: number
  readonly topology: Topology
  /** CloudEvents source of the predictions. */
  readonly source: string
  readonly nodeClass: NodeClass
  readonly table: NodeTable
  readonly model: ServableModel | null
  readonly judge: ClassJudge
  /** All that pools may have: what they act on is told of. */
  readonly policies: readonly Policy[]
}

export class ClassReport {
  #options: ClassReportOptions
  #served: ServedModels | null = null
  readonly #anomalies: AnomalyWatch
  /** Node index → an anomaly that began in the buffer that is being told of. */
  readonly #begun = new Map<number, NodeAnomaly>()
  readonly #signals: Signals
  readonly #suspects: Suspects
  /** Node index → its last row in the buffer that is being scored. */
  #lastRow = new Uint32Array(0)
  /** The newest cohort window that was reported. */
  #cohortWindow = -1
  #predictionCount = 0
  #batchCount = 0

  constructor(options: ClassReportOptions) {
    this.#options = options
    this.#anomalies = new AnomalyWatch(options.nodeClass)
    this.#suspects = new Suspects(options.policies)
    this.#signals = new Signals(options.nodeClass, options.table.featureNames, options.policies)
    this.serve(options.model, null)
  }

  /** These models from here on; nothing of others may wait. Where they are others, every node is told of anew. */
  serve(champion: ServableModel | null, canary: Canary | null): void {
    if (this.#served?.isSame(champion, canary) === true) return
    this.#served = champion && new ServedModels(this.#options, champion, canary)
  }

  /** Policies from here on: what they act on is told of. */
  turn(policies: readonly Policy[]): void {
    this.#options = { ...this.#options, policies }
    this.#suspects.turn(policies)
    this.#signals.turn(policies)
    for (const { rule } of this.#served?.all ?? []) rule.turn(policies)
  }

  get predicts(): boolean {
    return this.#served !== null
  }

  get predictionCount(): number {
    return this.#predictionCount
  }

  get anomalyCount(): number {
    return this.#anomalies.toldCount
  }

  /** The index of a node that has ended may serve another one from now on. */
  forget(index: number): void {
    this.#served?.forget(index)
    this.#anomalies.forget(index)
    this.#signals.forget(index)
    this.#suspects.forget(index)
  }

  /** The node is another pool's from now on. */
  changePool(index: number): void {
    this.#served?.changePool(index)
  }

  /** Scores the feature rows that wait in the table's buffer, and empties it. */
  async score(telling: Telling): Promise<void> {
    const { table, judge } = this.#options
    const served = this.#served
    const rows = table.rows()
    if (rows.count === 0) return
    if (served === null) {
      this.#sendGridLiveness(telling, rows)
    } else {
      const scored = await served.score(rows)
      this.#predictionCount += rows.count
      await this.#report(telling, served, rows, scored.served)
      await judge.take(telling, rows, scored)
    }
    table.clearRows()
  }

  /** Nodes that fell silent or came back. */
  sendLiveness(telling: Telling, indices: readonly number[]): void {
    this.#sendAssessments(
      telling,
      indices.map((index) => this.#assess(telling, index, 'liveness')),
    )
  }

  /** Nodes that became suspect by phi accrual before they are silent, or are heard of again. */
  sendSuspects(telling: Telling): void {
    if (telling.late) return
    const changes = this.#suspects.follow(this.#options.table, telling.observedAtMs)
    const rows = changes.map(({ index, phi }) => {
      const row = this.#assess(telling, index, 'liveness')
      return phi === null ? row : { ...row, phi }
    })
    this.#sendAssessments(telling, rows)
  }

  /** Once a window is complete every coordinator hears of it from every watcher, even of nothing. */
  sendCohorts(telling: Telling): void {
    const { table, nodeClass, partition: source, topology } = this.#options
    if (!nodeClass.metrics.some(({ peers }) => peers)) return
    const window = Math.floor(telling.nowMs / nodeClass.predictionIntervalMs) - 1
    if (window <= this.#cohortWindow) return
    this.#cohortWindow = window
    const counted = table.cohortCounts().filter((cohort) => cohort.window === window)
    telling.outputs.push(
      ...toEveryPartition(topology, 'pool-log', (topic, partition) => {
        const cohorts = counted.filter(
          ({ pool }) => partitionOf(pool, topology.poolPartitions) === partition,
        )
        const body: CohortWindow = { source, nodeClass: nodeClass.name, window, cohorts }
        return logOutput(topic, partition, 'cohort-counts', nodeClass.name, body)
      }),
    )
  }

  /** What gathered for `predictions.batches` since the last tick. */
  sendBatch(telling: Telling): void {
    for (const { batch } of this.#served?.all ?? []) {
      if (batch.count > 0) this.#sendRows(telling, batch)
    }
  }

  #sendRows({ outputs, nowMs }: Telling, batch: PredictionBatch): void {
    const { topology, source, partition, nodeClass } = this.#options
    outputs.push({
      topic: topicName(topology, 'predictions.batches'),
      partition,
      key: null,
      value: batch.build(),
      headers: cloudEventHeaders(
        {
          type: 'foreshock.prediction.batch',
          source,
          id: `${nodeClass.name}/${partition}/${++this.#batchCount}`,
          subject: nodeClass.name,
        },
        timeOf(nowMs),
        'application/vnd.apache.arrow.stream',
      ),
    })
  }

  #sendGridLiveness(telling: Telling, rows: FeatureRows): void {
    this.#noteLastRows(rows)
    const told: Assessment[] = []
    for (let row = 0; row < rows.count; row++) {
      if (rows.trigger[row] !== 0) continue
      const anomaly = this.#anomalyOf(rows, row)
      if (!this.#isNewest(rows, row)) continue
      const assessed = this.#assess(telling, rows.node[row], 'grid')
      told.push(withAnomaly(this.#withReadings(assessed, rows, row), anomaly))
    }
    this.#sendAssessments(telling, told)
  }

  async #report(
    telling: Telling,
    models: ServedModels,
    rows: FeatureRows,
    probability: Float32Array,
  ): Promise<void> {
    this.#gather(telling, models, rows, probability)
    this.#noteLastRows(rows)
    const nodeCount = this.#options.table.nodeCount
    const isDetailed = nodeCount <= DETAILED_NODES_MAX
    const assessments: Assessment[] = []
    const predictions: ToldPrediction[] = []
    for (let row = 0; row < rows.count; row++) {
      const index = rows.node[row]
      const model = models.ofNode(index)
      const grid = rows.trigger[row] === 0
      const p = probability[row]
      // A large fleet has always many nodes at some limit: they are told of in their turn.
      const notable = isDetailed && this.#isNotable(rows, row)
      // A million nodes are first seen within seconds: detectors hear of each in its next turn.
      const isRead = isDetailed || model.rule.sent(index) !== undefined
      const scored = { index, probability: p, atMs: rows.atMs[row], grid }
      const worth = model.rule.take(scored, nodeCount)
      const anomaly = this.#anomalyOf(rows, row)
      if (worth === 'nothing' && !notable && !isBeginning(anomaly)) continue
      // Of several rows of one node only the newest says something about now.
      const isNewest = this.#isNewest(rows, row)
      const top = isNewest ? await this.#explain(telling, model, rows, row, scored) : []
      if (worth === 'prediction') predictions.push({ row, model, probability: p, top })
      if (!isNewest) continue
      const assessed = this.#assess(telling, index, grid ? 'grid' : 'change')
      const told = { ...assessed, probability: p, top }
      const full = isRead ? this.#withReadings(told, rows, row) : told
      assessments.push(withAnomaly(full, anomaly))
    }
    telling.outputs.push(...(await predictionOutputs(this.#options, rows, models.all, predictions)))
    this.#sendAssessments(telling, assessments)
  }

  #isNotable(rows: FeatureRows, row: number): boolean {
    const index = rows.node[row]
    return this.#signals.notable(rows, row, index, this.#options.table.healthOf(index))
  }

  #gather(
    telling: Telling,
    models: ServedModels,
    rows: FeatureRows,
    probability: Float32Array,
  ): void {
    const { all } = models
    for (const model of all) {
      const { batch } = model
      const takes =
        all.length === 1 ? null : (row: number) => models.ofNode(rows.node[row]) === model
      for (let row = 0; row < rows.count;) {
        row = batch.add(this.#options.table, rows, probability, row, takes)
        if (batch.count === PREDICTIONS_PER_BATCH_MAX) this.#sendRows(telling, batch)
      }
    }
  }

  /** What began in an earlier row of the buffer is told with the node's newest. */
  #anomalyOf(rows: FeatureRows, row: number): Assessment['anomaly'] | null {
    const index = rows.node[row]
    const own = rows.trigger[row] === 0 ? this.#anomalies.take(rows, row) : null
    if (!this.#isNewest(rows, row)) {
      if (isBeginning(own)) this.#begun.set(index, own)
      return null
    }
    if (this.#begun.size === 0) return own
    const begun = this.#begun.get(index) ?? null
    this.#begun.delete(index)
    return isBeginning(own) ? own : (begun ?? own)
  }

  #noteLastRows({ count, node }: FeatureRows): void {
    const { indexCount } = this.#options.table
    if (this.#lastRow.length < indexCount) this.#lastRow = new Uint32Array(2 * indexCount)
    for (let row = 0; row < count; row++) this.#lastRow[node[row]] = row
  }

  #isNewest({ node }: FeatureRows, row: number): boolean {
    return this.#lastRow[node[row]] === row
  }

  async #explain(
    telling: Telling,
    { explainer, rule }: ScoringModel,
    rows: FeatureRows,
    row: number,
    scored: Scored,
  ): Promise<Assessment['top']> {
    const { nodeCount } = this.#options.table
    if (telling.explainedCount >= EXPLAINED_ROWS_MAX) return []
    if (!rule.explains(scored, nodeCount)) return []
    telling.explainedCount++
    return explainer.contributions(featuresOf(rows, row))
  }

  #assess(telling: Telling, index: number, trigger: Assessment['trigger']): Assessment {
    const { table, nodeClass } = this.#options
    const health = table.healthOf(index)
    const probability = this.#served?.ofNode(index).rule.sent(index)
    return {
      node: table.idOf(index),
      pool: table.poolOf(index),
      class: nodeClass.name,
      liveness: this.#livenessOf(telling, index),
      lastSeenAtMs: table.lastSeenAtMs(index),
      silentForMs: table.silentForMs(index, telling.observedAtMs),
      health: Number.isNaN(health) ? null : health,
      probability: probability ?? null,
      trigger,
      top: [],
    }
  }

  #withReadings(assessed: Assessment, rows: FeatureRows, row: number): Assessment {
    const readings = this.#signals.read(rows, row)
    return readings === undefined ? assessed : { ...assessed, readings }
  }

  #livenessOf({ late }: Telling, index: number): Liveness {
    if (late) return 'unknown'
    return this.#options.table.isSilent(index) ? 'silent' : 'live'
  }

  #sendAssessments(telling: Telling, rows: readonly Assessment[]): void {
    const byPool = new Map<PoolId, Assessment[]>()
    for (const row of rows) {
      const list = byPool.get(row.pool)
      if (list === undefined) byPool.set(row.pool, [row])
      else list.push(row)
    }
    for (const [pool, list] of byPool) {
      const { topic, partition } = poolLog(this.#options.topology, pool)
      const body: AssessmentRecord = {
        source: this.#options.partition,
        atMs: telling.nowMs,
        model: this.#served?.ofPool(pool).ref ?? null,
        late: telling.late,
        rows: list,
      }
      const output = logOutput(topic, partition, 'assessment', pool, body)
      const isUrgent = list.some((row) => this.#isUrgent(row))
      telling.outputs.push(isUrgent ? { ...output, urgent: true } : output)
    }
  }

  /** What a coordinator may act on. */
  #isUrgent({ trigger, probability, pool }: Assessment): boolean {
    if (trigger === 'liveness') return true
    if (this.#served === null || probability === null) return false
    return this.#served.ofPool(pool).rule.mayAct(probability)
  }
}

/** An anomaly that begins is told of whatever else is. */
function isBeginning(anomaly: Assessment['anomaly'] | null): anomaly is NodeAnomaly {
  return anomaly !== null && anomaly !== undefined && anomaly !== 'warming-up'
}

function withAnomaly(assessment: Assessment, anomaly: Assessment['anomaly'] | null): Assessment {
  return anomaly === null || anomaly === undefined ? assessment : { ...assessment, anomaly }
}

/** Where records of a pool go. */
export function poolLog(
  topology: Topology,
  pool: PoolId,
): { readonly topic: string; readonly partition: number } {
  return {
    topic: topicName(topology, 'pool-log'),
    partition: partitionOf(pool, topology.poolPartitions),
  }
}
