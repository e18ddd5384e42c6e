/**
 * What a watcher says of the nodes of one class: predictions, assessments, cohort counts.
 *
 * It turns the feature rows and the liveness of one node table into outputs. What was last said of
 * a node is part of the state, so a rebuilt watcher repeats nothing.
 */
import type { Assessment, AssessmentRecord, Liveness, ModelRef } from '../core/assessment.ts'
import type { Output } from '../core/bus.ts'
import { cloudEventOutput } from '../core/cloudevent.ts'
import type { PoolId } from '../core/ids.ts'
import { logOutput } from '../core/log.ts'
import type { NodeClass } from '../core/node.ts'
import { partitionOf } from '../core/partition.ts'
import { topicName, type Topology } from '../core/topics.ts'
import { contributions } from '../predict/occlusion.ts'
import type { Predictor } from '../predict/session.ts'
import type { CohortWindow } from '../state/cohorts.ts'
import type { FeatureRows, NodeTable } from '../state/node-table.ts'
import { rowHash } from '../state/row-hash.ts'
import { toEveryPartition } from './role.ts'

/** A change of probability smaller than this is not worth a record between grid times. */
const PROBABILITY_STEP = 0.05
/** Explanations cost a run of the model each: only for nodes from this share of the acting point on. */
const EXPLAIN_FROM_RATIO = 0.8
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
  readonly predictor: Predictor | null
}

export class ClassReport {
  readonly #options: ClassReportOptions
  readonly #model: ModelRef | null
  /** Node index → probability last sent. */
  readonly #sent = new Map<number, number>()
  /** The newest cohort window that was reported. */
  #cohortWindow = -1
  #predictionCount = 0

  constructor(options: ClassReportOptions) {
    this.#options = options
    this.#model = modelRef(options.predictor)
  }

  get predictionCount(): number {
    return this.#predictionCount
  }

  /** The index of a node that has ended may serve another one from now on. */
  forget(index: number): void {
    this.#sent.delete(index)
  }

  /** Scores the feature rows that wait in the table's buffer, and empties it. */
  async score(telling: Telling): Promise<void> {
    const { table, predictor } = this.#options
    const rows = table.rows()
    if (rows.count === 0) return
    if (predictor === null) {
      this.#sendGridLiveness(telling, rows)
    } else {
      const { probability } = await predictor.predict(rows.matrix, rows.count)
      this.#predictionCount += rows.count
      await this.#report(telling, rows, probability)
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

  #sendGridLiveness(telling: Telling, rows: FeatureRows): void {
    const grid = newestRows(rows).filter((row) => rows.trigger[row] === 0)
    this.#sendAssessments(
      telling,
      grid.map((row) => this.#assess(telling, rows.node[row], 'grid')),
    )
  }

  async #report(telling: Telling, rows: FeatureRows, probability: Float32Array): Promise<void> {
    const assessments: Assessment[] = []
    const newest = new Set(newestRows(rows))
    for (let row = 0; row < rows.count; row++) {
      const index = rows.node[row]
      const trigger = rows.trigger[row] === 0 ? 'grid' : 'change'
      const p = probability[row]
      if (trigger === 'change' && !worthSending(p, this.#sent.get(index), this.#model!)) continue
      this.#sent.set(index, p)
      // Of several grid rows of one node only the newest says something about now.
      const isNewest = newest.has(row)
      const top = isNewest ? await this.#explain(telling, rows, row, p) : []
      this.#sendPrediction(telling, rows, row, p, top)
      if (isNewest) {
        assessments.push({ ...this.#assess(telling, index, trigger), probability: p, top })
      }
    }
    this.#sendAssessments(telling, assessments)
  }

  async #explain(
    telling: Telling,
    rows: FeatureRows,
    row: number,
    probability: number,
  ): Promise<Assessment['top']> {
    const from = this.#model!.actingPoint * EXPLAIN_FROM_RATIO
    if (probability < from || telling.explainedCount >= EXPLAINED_ROWS_MAX) return []
    telling.explainedCount++
    const width = this.#options.table.featureNames.length
    const features = rows.matrix.subarray(row * width, (row + 1) * width)
    return contributions(this.#options.predictor!, features)
  }

  #sendPrediction(
    telling: Telling,
    rows: FeatureRows,
    row: number,
    probability: number,
    top: Assessment['top'],
  ): void {
    const { topology, source, partition, table } = this.#options
    const node = table.idOf(rows.node[row])
    const atMs = rows.atMs[row]
    const { version, featureHash, horizonMs, provider, actingPoint } = this.#model!
    const trigger = rows.trigger[row] === 0 ? 'grid' : 'change'
    const featureCount = table.featureNames.length
    telling.outputs.push(
      cloudEventOutput(
        topicName(topology, 'predictions'),
        partition,
        {
          type: 'foreshock.prediction.failure',
          source,
          id: `${node}/${atMs}/${trigger}`,
          subject: node,
          atMs,
        },
        {
          node,
          pool: table.poolOf(rows.node[row]),
          atMs,
          horizonMs,
          probability,
          interval: null,
          actingPoint,
          trigger,
          top,
          modelVersion: version,
          featureHash,
          rowHash: rowHash(wordsOf(rows.matrix), row * featureCount, featureCount),
          provider,
        },
      ),
    )
  }

  #assess(telling: Telling, index: number, trigger: Assessment['trigger']): Assessment {
    const { table, nodeClass } = this.#options
    const health = table.healthOf(index)
    const probability = this.#sent.get(index)
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
        model: this.#model,
        late: telling.late,
        rows: list,
      }
      telling.outputs.push(logOutput(topic, partition, 'assessment', pool, body))
    }
  }
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

function modelRef(predictor: Predictor | null): ModelRef | null {
  if (predictor === null) return null
  const { card, provider } = predictor
  return {
    version: card.version,
    featureHash: card.featureHash,
    horizonMs: card.horizonMs,
    provider,
    actingPoint: card.actingPoint,
    alertBudgets: card.alertBudgets,
  }
}

/** Between grid times: the first score, a clear change, or a crossing of the acting point. */
function worthSending(p: number, sent: number | undefined, model: ModelRef): boolean {
  if (sent === undefined) return true
  const crosses = p >= model.actingPoint !== sent >= model.actingPoint
  return crosses || Math.abs(p - sent) >= PROBABILITY_STEP
}

function wordsOf(matrix: Float32Array): Uint32Array {
  return new Uint32Array(matrix.buffer, matrix.byteOffset, matrix.length)
}

/** The last row of each node. */
function newestRows(rows: FeatureRows): readonly number[] {
  const last = new Map<number, number>()
  for (let row = 0; row < rows.count; row++) last.set(rows.node[row], row)
  return [...last.values()]
}
