/**
 * The watcher's fold over one node-log partition: state in WASM, features, scores, liveness.
 *
 * It sees and never acts. What it learns goes to the pool-log as assessments and node facts, and
 * to the public `predictions`. Everything that decides what is sent is a function of the records
 * folded, so a rebuilt watcher says the same.
 */
import type { AssessmentRecord } from '../core/assessment.ts'
import type { LogRecord, Output } from '../core/bus.ts'
import { FoldClock, OBSERVED_GAP_MAX_MS, ObservedClock, TICK_INTERVAL_MS } from '../core/clock.ts'
import { DEFAULT_POOL, type PoolId } from '../core/ids.ts'
import {
  kindOf,
  logBody,
  logOutput,
  type NodeLogKind,
  type Tick,
  type Watermark,
} from '../core/log.ts'
import type { Intervention, NodeClass, NodeEvent } from '../core/node.ts'
import type { Policy } from '../core/policy.ts'
import type { Topology } from '../core/topics.ts'
import type { DriftRules, ModelAssignment, PromotionRules } from '../core/model-life.ts'
import type { Predictor } from '../predict/session.ts'
import type { CohortWindow } from '../state/cohorts.ts'
import { NodeTable } from '../state/node-table.ts'
import { ClassJudge } from './class-judge.ts'
import { ClassReport, poolLog, type Telling } from './class-report.ts'
import { EndedNodes } from './ended-nodes.ts'
import type { Fold } from './fold.ts'
import { DETAILED_NODES_MAX } from './report-rule.ts'
import { toEveryPartition } from './role.ts'
import { assignModels, type ModelSource, noteFate } from './watcher-models.ts'

/** A watermark older than this means our own view is behind: nodes are `unknown`, not silent. */
export const LATE_AFTER_MS = 10_000

/** Rows due at a grid time that one record makes: a tenth of a millisecond's work. */
const DUE_ROWS_PER_RECORD = 96
/** Ticks alone make all of them within this share of an interval, where records are few. */
const DUE_WITHIN_RATIO = 0.9

export interface WatcherOptions {
  readonly partition: number
  readonly topology: Topology
  readonly kernel: WebAssembly.Module
  readonly nodeClasses: ReadonlyMap<string, NodeClass>
  /** Node class → the model it begins with; a class without one is watched for liveness only. */
  readonly predictors: ReadonlyMap<string, Predictor>
  /** Models that the log names, and who those at the beginning are. */
  readonly modelSource?: ModelSource
  readonly drift?: DriftRules
  readonly promotion?: PromotionRules
  /** A changed node is scored again no sooner than this after its last score (sample time). */
  readonly changeGapMs: number
  /** In fleets over DETAILED_NODES_MAX, which have no turn for every sample: how far it must leave its past. */
  readonly changeDeviations?: number
  /** All that pools may have. */
  readonly policies: readonly Policy[]
  readonly nodesMax: number
  /** CloudEvents source of the predictions. */
  readonly source: string
}

/** One node class of a watcher: its table and what is said of its nodes. */
interface ClassState {
  readonly nodeClass: NodeClass
  readonly table: NodeTable
  readonly report: ClassReport
  readonly judge: ClassJudge
}

export class WatcherFold implements Fold {
  readonly #options: WatcherOptions
  readonly #clock: FoldClock
  readonly #observed: ObservedClock
  readonly #classes: ReadonlyMap<string, ClassState>
  readonly #ended = new EndedNodes()
  #late = false
  /** Classes whose rows at grid times are not all made yet. */
  readonly #due = new Set<ClassState>()

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
    const { kernel, nodesMax, predictors } = this.#options
    const table = new NodeTable(kernel, nodeClass, { nodesMax })
    const predictor = predictors.get(nodeClass.name) ?? null
    const first = this.#options.modelSource?.first.get(nodeClass.name)
    const champion = predictor && { id: null, reference: null, ...first, predictor }
    const judge = new ClassJudge({ ...this.#options, nodeClass, table }, champion)
    const report = new ClassReport({ ...this.#options, nodeClass, table, model: champion, judge })
    return { nodeClass, table, report, judge }
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
      predictionCount: sum(({ report }) => report.predictionCount),
      anomalyCount: sum(({ report }) => report.anomalyCount),
    }
  }

  async fold(record: LogRecord): Promise<readonly Output[]> {
    this.#clock.arrive(record.appendedAtMs)
    const telling = this.#telling([])
    switch (kindOf(record) as NodeLogKind | undefined) {
      case 'samples':
        await this.#foldSamples(record, telling)
        break
      case 'node-event':
        await this.#foldEvent(logBody<NodeEvent>(record), record, telling)
        break
      case 'watermark':
        this.#foldWatermark(logBody<Watermark>(record), record.appendedAtMs, telling.outputs)
        break
      case 'tick':
        await this.#foldTick(logBody<Tick>(record), telling.outputs)
        break
      case 'cohort-table': {
        const { nodeClass, cohorts } = logBody<CohortWindow>(record)
        const table = this.#classes.get(nodeClass)?.table
        for (const cohort of cohorts) table?.setCohortTable(cohort)
        break
      }
      case 'model': {
        const assignment = logBody<ModelAssignment>(record)
        const state = this.#classes.get(assignment.nodeClass)
        if (state !== undefined) await assignModels(this.#options, state, assignment, telling)
        break
      }
      case 'policies': {
        const policies = logBody<readonly Policy[]>(record)
        for (const { report } of this.#classes.values()) report.turn(policies)
        break
      }
      case 'intervention': {
        const intervention = logBody<Intervention>(record)
        for (const { table, judge } of this.#classes.values()) {
          const index = table.indexOf(intervention.node)
          if (index !== undefined) judge.intervened(index, intervention)
        }
        break
      }
      case 'claim':
      case undefined:
        break
    }
    await this.#makeDue(telling)
    return telling.outputs
  }

  #telling(outputs: Output[]): Telling {
    return {
      outputs,
      nowMs: this.#clock.nowMs,
      observedAtMs: this.#observed.atMs,
      late: this.#late,
      explainedCount: 0,
    }
  }

  async #foldSamples(record: LogRecord, telling: Telling): Promise<void> {
    const state = this.#classes.get(record.headers['class'] ?? '')
    if (state === undefined || record.value === null) return
    const { table, report } = state
    const countBefore = table.nodeCount
    table.load(record.value)
    while (!table.fold(this.#observedNow())) await report.score(telling)
    await report.score(telling)
    if (table.nodeCount > countBefore) this.#ended.dropFrom(table, this.#observedNow())
    if (!report.predicts) return
    const { changeGapMs, changeDeviations = 0 } = this.#options
    const deviationsMin = table.nodeCount > DETAILED_NODES_MAX ? changeDeviations : 0
    while (!table.emitChanged(changeGapMs, deviationsMin)) await report.score(telling)
    await report.score(telling)
  }

  #observedNow(): { readonly atMs: number; readonly watermarkMs: number } {
    return { atMs: this.#observed.atMs, watermarkMs: this.#observed.watermarkMs }
  }

  async #foldEvent(event: NodeEvent, record: LogRecord, telling: Telling): Promise<void> {
    const state = this.#classOf(event)
    if (state === undefined) {
      // Work that is announced on a failed node does not bring it back, but its pool must know.
      const pool = event.kind === 'maintenance' ? this.#ended.poolOf(event.node) : undefined
      if (pool !== undefined) this.#sendFact(telling, pool, event)
      return
    }
    const { table, report, judge } = state
    const before = poolBefore(table, event)
    const known = table.indexOf(event.node)
    const appendedAtMs = Number(record.headers['appended-at'] ?? record.appendedAtMs)
    while (!table.foldEvent(event, appendedAtMs, this.#observedNow())) await report.score(telling)
    await report.score(telling)
    const ends = event.kind === 'leave' || event.kind === 'failure'
    if (known !== undefined) noteFate(judge, known, event, before ?? DEFAULT_POOL)
    if (ends && known !== undefined) report.forget(known)
    if (ends)
      this.#ended.end(event.node, appendedAtMs, event.kind === 'failure' ? before : undefined)
    else this.#ended.begin(event.node)
    if (event.kind === 'heartbeat' || event.kind === 'error') return
    const index = table.indexOf(event.node)
    const after = index === undefined ? before : table.poolOf(index)
    if (index !== undefined && after !== before) report.changePool(index)
    for (const pool of new Set([before, after])) {
      if (pool !== undefined) this.#sendFact(telling, pool, event)
    }
  }

  /** Join names its class; any other event belongs to the class whose table knows the node. */
  #classOf(event: NodeEvent): ClassState | undefined {
    if (event.kind === 'join') return this.#classes.get(event.class)
    for (const state of this.#classes.values()) {
      if (state.table.indexOf(event.node) !== undefined) return state
    }
    const isSign = event.kind === 'heartbeat' || event.kind === 'error'
    return isSign || event.kind === 'failure' ? this.#classes.values().next().value : undefined
  }

  #sendFact({ outputs }: Telling, pool: PoolId, event: NodeEvent): void {
    const { topic, partition } = poolLog(this.#options.topology, pool)
    outputs.push(logOutput(topic, partition, 'node-fact', event.node, event))
  }

  /** Who is silent shows as soon as more of the time is known to be observed. */
  #foldWatermark(
    { source, atMs, delayMs }: Watermark,
    appendedAtMs: number,
    outputs: Output[],
  ): void {
    const before = this.#observed.atMs
    this.#observed.take(source, atMs ?? appendedAtMs - delayMs)
    if (this.#observed.atMs === before) return
    this.#checkLate(outputs)
    this.#sweep(this.#telling(outputs))
  }

  #sweep(telling: Telling): void {
    for (const { table, report } of this.#classes.values()) {
      const { silent, live } = table.sweep(telling.observedAtMs)
      report.sendLiveness(telling, [...silent, ...live])
      report.sendSuspects(telling)
    }
  }

  async #foldTick({ source, atMs, step }: Tick, outputs: Output[]): Promise<void> {
    const { clock, nodePartitions } = this.#options.topology
    if (clock === 'driven') {
      if (!this.#clock.tick(source, atMs, step)) return
      for (let s = 0; s < nodePartitions; s++) this.#observed.take(s, atMs)
    } else {
      this.#checkLate(outputs)
    }
    const telling = this.#telling(outputs)
    for (const state of this.#classes.values()) {
      this.#due.add(state)
      if (clock === 'driven') await this.#makeAllDue(state, telling)
      else await this.#makeSomeDue(state, telling, dueRowsPerTick(state))
    }
    if (clock === 'driven') this.#sweep(telling)
    for (const { report, judge } of this.#classes.values()) {
      report.sendBatch(telling)
      judge.tell(telling)
    }
    if (clock === 'driven') this.#forwardTick(outputs)
  }

  /** A step of the driver is whole: what is due in it is made before it is forwarded. */
  async #makeAllDue(state: ClassState, telling: Telling): Promise<void> {
    while (this.#due.has(state)) await this.#makeSomeDue(state, telling)
  }

  async #makeDue(telling: Telling): Promise<void> {
    for (const state of this.#due) await this.#makeSomeDue(state, telling, DUE_ROWS_PER_RECORD)
  }

  /**
   * At a grid time the rows of all nodes are due at once, and samples would wait while a million are
   * made: so each record makes some of them. A node's own next sample makes its row first.
   */
  async #makeSomeDue(state: ClassState, telling: Telling, rowsMost?: number): Promise<void> {
    const { table, report } = state
    const isDone = table.advance(telling.nowMs, rowsMost)
    await report.score(telling)
    if (!isDone) return
    this.#due.delete(state)
    report.sendCohorts(telling)
  }

  /** Says once that our view is behind, and once that it no longer is, with who is silent then. */
  #checkLate(outputs: Output[]): void {
    const late = this.#clock.nowMs - this.#observed.watermarkMs > LATE_AFTER_MS
    if (late === this.#late) return
    this.#late = late
    const record: AssessmentRecord = {
      source: this.#options.partition,
      atMs: this.#clock.nowMs,
      model: null,
      late,
      rows: [],
    }
    outputs.push(
      ...toEveryPartition(this.#options.topology, 'pool-log', (topic, partition) =>
        logOutput(topic, partition, 'assessment', null, record),
      ),
    )
    if (late) return
    const telling = this.#telling(outputs)
    for (const { table, report } of this.#classes.values()) {
      const indices = Array.from({ length: table.indexCount }, (_, index) => index)
      report.sendLiveness(
        telling,
        indices.filter((index) => table.isSilent(index)),
      )
    }
  }

  #forwardTick(outputs: Output[]): void {
    const tick: Tick = {
      source: this.#options.partition,
      atMs: this.#clock.nowMs,
      step: this.#clock.step,
    }
    outputs.push(
      ...toEveryPartition(this.#options.topology, 'pool-log', (topic, partition) =>
        logOutput(topic, partition, 'tick', null, tick),
      ),
    )
  }
}

function dueRowsPerTick({ table, nodeClass }: ClassState): number {
  const ticks = (DUE_WITHIN_RATIO * nodeClass.predictionIntervalMs) / TICK_INTERVAL_MS
  return Math.ceil(table.nodeCount / Math.max(1, ticks))
}

/** A driven clock moves in the driver's steps: a gap may then add one heartbeat of the slowest class. */
function observedGapMaxMs({ topology, nodeClasses }: WatcherOptions): number {
  if (topology.clock === 'arrival') return OBSERVED_GAP_MAX_MS
  const intervals = [...nodeClasses.values()].map((c) => c.heartbeatIntervalMs ?? 0)
  return Math.max(OBSERVED_GAP_MAX_MS, ...intervals)
}

function poolBefore(table: NodeTable, event: NodeEvent): PoolId | undefined {
  const index = table.indexOf(event.node)
  if (index !== undefined) return table.poolOf(index)
  return event.kind === 'join' ? undefined : DEFAULT_POOL
}
