/**
 * The watcher's fold over one node-log partition: state in WASM, features, scores, liveness.
 *
 * It sees and never acts. What it learns goes to the pool-log as assessments and node facts, and
 * to the public `predictions`. Everything that decides what is sent is a function of the records
 * folded, so a rebuilt watcher says the same.
 */
import type { LogRecord, Output } from '../core/bus.ts'
import type { Assessment, AssessmentRecord, Liveness, ModelRef } from '../core/assessment.ts'
import { FoldClock, OBSERVED_GAP_MAX_MS, ObservedClock } from '../core/clock.ts'
import { cloudEventOutput } from '../core/cloudevent.ts'
import { DEFAULT_POOL, type PoolId } from '../core/ids.ts'
import {
  kindOf,
  logBody,
  logOutput,
  type NodeLogKind,
  type Tick,
  type Watermark,
} from '../core/log.ts'
import type { NodeClass, NodeEvent } from '../core/node.ts'
import { partitionOf } from '../core/partition.ts'
import { topicName, type Topology } from '../core/topics.ts'
import { contributions } from '../predict/occlusion.ts'
import type { Predictor } from '../predict/session.ts'
import type { CohortWindow } from '../state/cohorts.ts'
import { type FeatureRows, NodeTable } from '../state/node-table.ts'
import { rowHash } from '../state/row-hash.ts'
import type { Fold } from './fold.ts'
import { toEveryPartition } from './role.ts'

/** A watermark older than this means our own view is behind: nodes are `unknown`, not silent. */
export const LATE_AFTER_MS = 10_000
/** A change of probability smaller than this is not worth a record between grid times. */
const PROBABILITY_STEP = 0.05
/** Explanations cost a run of the model each: only for nodes from this share of the acting point on. */
const EXPLAIN_FROM_RATIO = 0.8
/** Explained rows per folded record; the rest of a wave is explained at its next grid time. */
const EXPLAINED_ROWS_MAX = 32

export interface WatcherOptions {
  readonly partition: number
  readonly topology: Topology
  readonly kernel: WebAssembly.Module
  readonly nodeClasses: ReadonlyMap<string, NodeClass>
  /** Node class → its model; a class without one is watched for liveness only. */
  readonly predictors: ReadonlyMap<string, Predictor>
  /** A changed node is scored again no sooner than this after its last score (sample time). */
  readonly changeGapMs: number
  readonly nodesMax: number
  /** CloudEvents source of the predictions. */
  readonly source: string
}

/** One node class of a watcher: its table, its model and what was last said of each node. */
interface ClassState {
  readonly nodeClass: NodeClass
  readonly table: NodeTable
  readonly predictor: Predictor | null
  readonly model: ModelRef | null
  /** Node index → probability last sent, NaN before. */
  readonly sent: Map<number, number>
  /** The newest cohort window that was reported. */
  cohortWindow: number
}

export class WatcherFold implements Fold {
  readonly #options: WatcherOptions
  readonly #clock: FoldClock
  readonly #observed: ObservedClock
  readonly #classes: ReadonlyMap<string, ClassState>
  #late = false
  #outputs: Output[] = []
  #explained = 0
  #predictionCount = 0

  constructor(options: WatcherOptions) {
    const { topology } = options
    this.#options = options
    this.#clock = new FoldClock(topology.clock, topology.nodePartitions)
    this.#observed = new ObservedClock(topology.nodePartitions, observedGapMaxMs(options))
    this.#classes = new Map(
      [...options.nodeClasses].map(([name, nodeClass]) => [name, this.#createClass(nodeClass)]),
    )
  }

  #createClass(nodeClass: NodeClass): ClassState {
    const table = new NodeTable(this.#options.kernel, nodeClass, {
      nodesMax: this.#options.nodesMax,
    })
    const predictor = this.#options.predictors.get(nodeClass.name) ?? null
    return {
      nodeClass,
      table,
      predictor,
      model: modelRef(predictor),
      sent: new Map(),
      cohortWindow: -1,
    }
  }

  stats(): Readonly<Record<string, number>> {
    const states = [...this.#classes.values()]
    const sum = (pick: (state: ClassState) => number) =>
      states.reduce((total, state) => total + pick(state), 0)
    return {
      nodeCount: sum(({ table }) => table.nodeCount),
      sampleCount: sum(({ table }) => table.counts().folded),
      lateCount: sum(({ table }) => table.counts().late),
      outOfBoundsCount: sum(({ table }) => table.counts().outOfBounds),
      predictionCount: this.#predictionCount,
    }
  }

  async fold(record: LogRecord): Promise<readonly Output[]> {
    this.#outputs = []
    this.#explained = 0
    this.#clock.arrive(record.appendedAtMs)
    switch (kindOf(record) as NodeLogKind | undefined) {
      case 'samples':
        await this.#foldSamples(record)
        break
      case 'node-event':
        await this.#foldEvent(logBody<NodeEvent>(record), record)
        break
      case 'watermark':
        this.#foldWatermark(logBody<Watermark>(record), record.appendedAtMs)
        break
      case 'tick':
        await this.#foldTick(logBody<Tick>(record))
        break
      case 'cohort-table': {
        const { nodeClass, cohorts } = logBody<CohortWindow>(record)
        const table = this.#classes.get(nodeClass)?.table
        for (const cohort of cohorts) table?.setCohortTable(cohort)
        break
      }
      case 'claim':
      case undefined:
        break
    }
    return this.#outputs
  }

  async #foldSamples(record: LogRecord): Promise<void> {
    const state = this.#classes.get(record.headers['class'] ?? '')
    if (state === undefined || record.value === null) return
    const { table } = state
    table.load(record.value)
    while (!table.fold(this.#observedNow())) await this.#score(state)
    await this.#score(state)
    if (state.predictor === null) return
    while (!table.emitChanged(this.#options.changeGapMs)) await this.#score(state)
    await this.#score(state)
  }

  #observedNow(): { readonly atMs: number; readonly watermarkMs: number } {
    return { atMs: this.#observed.atMs, watermarkMs: this.#observed.watermarkMs }
  }

  async #foldEvent(event: NodeEvent, record: LogRecord): Promise<void> {
    const state = this.#classOf(event)
    if (state === undefined) return
    const { table } = state
    const before = poolBefore(table, event)
    const known = table.indexOf(event.node)
    const appendedAtMs = Number(record.headers['appended-at'] ?? record.appendedAtMs)
    while (!table.foldEvent(event, appendedAtMs, this.#observedNow())) await this.#score(state)
    await this.#score(state)
    // Its index may serve another node from now on.
    const ends = event.kind === 'leave' || event.kind === 'failure'
    if (ends && known !== undefined) state.sent.delete(known)
    if (event.kind === 'heartbeat' || event.kind === 'error') return
    const index = table.indexOf(event.node)
    const after = index === undefined ? before : table.poolOf(index)
    for (const pool of new Set([before, after])) if (pool !== undefined) this.#sendFact(pool, event)
  }

  /** Join names its class; any other event belongs to the class whose table knows the node. */
  #classOf(event: NodeEvent): ClassState | undefined {
    if (event.kind === 'join') return this.#classes.get(event.class)
    for (const state of this.#classes.values()) {
      if (state.table.indexOf(event.node) !== undefined) return state
    }
    return event.kind === 'leave' || event.kind === 'labels'
      ? undefined
      : this.#classes.values().next().value
  }

  #sendFact(pool: PoolId, event: NodeEvent): void {
    const { topic, partition } = this.#poolLog(pool)
    this.#outputs.push(logOutput(topic, partition, 'node-fact', event.node, event))
  }

  #poolLog(pool: PoolId): { topic: string; partition: number } {
    const { topology } = this.#options
    return {
      topic: topicName(topology, 'pool-log'),
      partition: partitionOf(pool, topology.poolPartitions),
    }
  }

  #foldWatermark({ source, atMs, delayMs }: Watermark, appendedAtMs: number): void {
    this.#observed.take(source, atMs ?? appendedAtMs - delayMs)
  }

  async #foldTick({ source, atMs, step }: Tick): Promise<void> {
    if (this.#options.topology.clock === 'driven') {
      if (!this.#clock.tick(source, atMs, step)) return
      for (let s = 0; s < this.#options.topology.nodePartitions; s++) this.#observed.take(s, atMs)
    }
    for (const state of this.#classes.values()) await this.#advance(state)
    this.#checkLate()
    if (this.#options.topology.clock === 'driven') this.#forwardTick()
  }

  async #advance(state: ClassState): Promise<void> {
    const { table } = state
    const nowMs = this.#clock.nowMs
    while (!table.advance(nowMs)) await this.#score(state)
    await this.#score(state)
    this.#sendCohorts(state)
    const { silent, live } = table.sweep(this.#observed.atMs)
    if (silent.length + live.length === 0) return
    const changed = [...silent, ...live].map((index) => this.#assess(state, index, 'liveness'))
    this.#sendAssessments(state, changed)
  }

  /** Once a window is complete every coordinator hears of it from every watcher, even of nothing. */
  #sendCohorts(state: ClassState): void {
    const { table, nodeClass } = state
    if (!nodeClass.metrics.some(({ peers }) => peers)) return
    const window = Math.floor(this.#clock.nowMs / nodeClass.predictionIntervalMs) - 1
    if (window <= state.cohortWindow) return
    state.cohortWindow = window
    const counted = table.cohortCounts().filter((cohort) => cohort.window === window)
    const { partition: source, topology } = this.#options
    this.#outputs.push(
      ...toEveryPartition(topology, 'pool-log', (topic, partition) => {
        const cohorts = counted.filter(
          ({ cohort }) => partitionOf(poolOfCohort(cohort), topology.poolPartitions) === partition,
        )
        const body: CohortWindow = { source, nodeClass: nodeClass.name, window, cohorts }
        return logOutput(topic, partition, 'cohort-counts', nodeClass.name, body)
      }),
    )
  }

  #checkLate(): void {
    if (this.#options.topology.clock === 'driven') return
    const late = this.#clock.nowMs - this.#observed.watermarkMs > LATE_AFTER_MS
    if (late === this.#late) return
    this.#late = late
    const record = {
      source: this.#options.partition,
      atMs: this.#clock.nowMs,
      model: null,
      late,
      rows: [],
    }
    this.#outputs.push(
      ...toEveryPartition(this.#options.topology, 'pool-log', (topic, partition) =>
        logOutput(topic, partition, 'assessment', null, record),
      ),
    )
  }

  #forwardTick(): void {
    const tick: Tick = {
      source: this.#options.partition,
      atMs: this.#clock.nowMs,
      step: this.#clock.step,
    }
    this.#outputs.push(
      ...toEveryPartition(this.#options.topology, 'pool-log', (topic, partition) =>
        logOutput(topic, partition, 'tick', null, tick),
      ),
    )
  }

  /** Scores the feature rows that wait in the table's buffer, and empties it. */
  async #score(state: ClassState): Promise<void> {
    const rows = state.table.rows()
    if (rows.count === 0) return
    if (state.predictor === null) {
      this.#sendGridLiveness(state, rows)
    } else {
      const { probability } = await state.predictor.predict(rows.matrix, rows.count)
      this.#predictionCount += rows.count
      await this.#report(state, rows, probability)
    }
    state.table.clearRows()
  }

  #sendGridLiveness(state: ClassState, rows: FeatureRows): void {
    const grid = newestRows(rows).filter((row) => rows.trigger[row] === 0)
    this.#sendAssessments(
      state,
      grid.map((row) => this.#assess(state, rows.node[row], 'grid')),
    )
  }

  async #report(state: ClassState, rows: FeatureRows, probability: Float32Array): Promise<void> {
    const assessments: Assessment[] = []
    const newest = new Set(newestRows(rows))
    for (let row = 0; row < rows.count; row++) {
      const index = rows.node[row]
      const trigger = rows.trigger[row] === 0 ? 'grid' : 'change'
      const p = probability[row]
      if (trigger === 'change' && !worthSending(p, state.sent.get(index), state.model!)) continue
      state.sent.set(index, p)
      const top = await this.#explain(state, rows, row, p)
      this.#sendPrediction(state, rows, row, p, top)
      // Of several grid rows of one node only the newest says something about now.
      if (newest.has(row)) {
        assessments.push({ ...this.#assess(state, index, trigger), probability: p, top })
      }
    }
    this.#sendAssessments(state, assessments)
  }

  async #explain(
    state: ClassState,
    rows: FeatureRows,
    row: number,
    probability: number,
  ): Promise<Assessment['top']> {
    const from = state.model!.actingPoint * EXPLAIN_FROM_RATIO
    if (probability < from || this.#explained >= EXPLAINED_ROWS_MAX) return []
    this.#explained++
    const width = state.table.featureNames.length
    return contributions(state.predictor!, rows.matrix.subarray(row * width, (row + 1) * width))
  }

  #sendPrediction(
    { table, model }: ClassState,
    rows: FeatureRows,
    row: number,
    probability: number,
    top: Assessment['top'],
  ): void {
    const { topology, source, partition } = this.#options
    const node = table.idOf(rows.node[row])
    const atMs = rows.atMs[row]
    const { version, featureHash, horizonMs, provider, actingPoint } = model!
    const trigger = rows.trigger[row] === 0 ? 'grid' : 'change'
    const featureCount = table.featureNames.length
    this.#outputs.push(
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

  #assess(state: ClassState, index: number, trigger: Assessment['trigger']): Assessment {
    const { table, nodeClass, sent } = state
    const health = table.healthOf(index)
    const probability = sent.get(index)
    return {
      node: table.idOf(index),
      pool: table.poolOf(index),
      class: nodeClass.name,
      liveness: this.#livenessOf(state, index),
      lastSeenAtMs: table.lastSeenAtMs(index),
      silentForMs: table.silentForMs(index, this.#observed.atMs),
      health: Number.isNaN(health) ? null : health,
      probability: probability === undefined || Number.isNaN(probability) ? null : probability,
      trigger,
      top: [],
    }
  }

  #livenessOf({ table }: ClassState, index: number): Liveness {
    if (this.#late) return 'unknown'
    return table.isSilent(index) ? 'silent' : 'live'
  }

  #sendAssessments({ model }: ClassState, rows: readonly Assessment[]): void {
    const byPool = new Map<PoolId, Assessment[]>()
    for (const row of rows) {
      const list = byPool.get(row.pool)
      if (list === undefined) byPool.set(row.pool, [row])
      else list.push(row)
    }
    for (const [pool, list] of byPool) {
      const { topic, partition } = this.#poolLog(pool)
      const body: AssessmentRecord = {
        source: this.#options.partition,
        atMs: this.#clock.nowMs,
        model,
        late: this.#late,
        rows: list,
      }
      this.#outputs.push(logOutput(topic, partition, 'assessment', pool, body))
    }
  }
}

/** A driven clock moves in the driver's steps: a gap may then add one heartbeat of the slowest class. */
function observedGapMaxMs({ topology, nodeClasses }: WatcherOptions): number {
  if (topology.clock === 'arrival') return OBSERVED_GAP_MAX_MS
  const intervals = [...nodeClasses.values()].map((c) => c.heartbeatIntervalMs ?? 0)
  return Math.max(OBSERVED_GAP_MAX_MS, ...intervals)
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

/** A cohort is named pool/class/model. */
function poolOfCohort(cohort: string): string {
  return cohort.slice(0, cohort.indexOf('/'))
}

/** The last row of each node. */
function newestRows(rows: FeatureRows): readonly number[] {
  const last = new Map<number, number>()
  for (let row = 0; row < rows.count; row++) last.set(rows.node[row], row)
  return [...last.values()]
}

function poolBefore(table: NodeTable, event: NodeEvent): PoolId | undefined {
  const index = table.indexOf(event.node)
  if (index !== undefined) return table.poolOf(index)
  return event.kind === 'join' ? undefined : DEFAULT_POOL
}
