/**
 * The state of every node of one class in one node-log partition, in the memory of one WASM instance.
 *
 * Samples go in as Arrow, feature rows come out as a view on that memory. A row's contents depend on
 * its node's samples alone: not on other nodes, on the size of the row buffer, or on our clock.
 * Whatever emits rows returns false when the row buffer is full: take `rows()`, `clearRows()`, and
 * call it again with the same arguments.
 */
import { assert, ServiceError } from '../core/errors.ts'
import { DEFAULT_POOL } from '../core/ids.ts'
import { MISSED_HEARTBEATS } from '../core/node.ts'
import { toBytes, toText } from '../core/bytes.ts'
import { BatchStager } from './batch.ts'
import { CohortCounter, percentiles } from './cohorts.ts'
import { attributeValue, featureHash, featureNames, peerMetrics } from './features.ts'
import { COHORTS_MAX, configure, instantiate, NO_NODE } from './kernel.ts'
import { deviationsAt, phiOf } from './phi.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import type { Metric, NodeClass, NodeEvent } from '../core/node.ts'
import type { Cohort, CohortTable } from './cohorts.ts'
import type { Kernel } from './kernel.ts'
import { countsOf, type FeatureRows, rowsOf, type SampleCounts } from './table-views.ts'

export type { CohortTable } from './cohorts.ts'

/** Observed clock of the fold, and the newest time up to which ingest has forwarded everything. */
export interface Observed {
  readonly atMs: number
  readonly watermarkMs: number
}

export interface NodeTableOptions {
  readonly nodesMax?: number
  /** Row buffer. */
  readonly rowsMax?: number
}

const NODES_MAX = 1_048_576
const ROWS_MAX = 4096
const SILENT = 0x8000_0000
/** Rows due before such an event are made first: it changes what a row says. */
const ALTERING: ReadonlySet<NodeEvent['kind']> = new Set(['join', 'labels', 'error'])

export class NodeTable {
  readonly featureNames: readonly string[]
  readonly featureHash: string
  readonly #class: NodeClass
  readonly #kernel: Kernel
  readonly #stager: BatchStager
  readonly #rowsMax: number
  readonly #peers: readonly Metric[]
  readonly #peerColumns: readonly number[]
  readonly #counter: CohortCounter
  readonly #ids: (NodeId | undefined)[] = []
  readonly #pools: (PoolId | undefined)[] = []
  readonly #models: (string | undefined)[] = []
  readonly #cohorts = new Map<string, number>()
  readonly #cohortOf: (Cohort | undefined)[] = []
  /** Dropped nodes that rows in the buffer may still name. */
  readonly #dropped: number[] = []
  /** Rows of the buffer that are counted with their cohorts already. */
  #counted = 0
  #pending = false
  /** Health is worked out for all nodes at once, and once per record that was folded. */
  #healthStale = true
  #nowMs = -Infinity
  #unknownColumns = 0

  constructor(module: WebAssembly.Module, nodeClass: NodeClass, options: NodeTableOptions = {}) {
    const { nodesMax = NODES_MAX, rowsMax = ROWS_MAX } = options
    assert(nodesMax > 0 && nodesMax <= NODES_MAX, `nodesMax is 1..${NODES_MAX}`)
    assert(rowsMax > 0, 'a row buffer holds at least one row')
    this.#rowsMax = rowsMax
    this.#class = nodeClass
    this.featureNames = featureNames(nodeClass)
    this.featureHash = featureHash(nodeClass)
    this.#peers = peerMetrics(nodeClass)
    this.#peerColumns = this.#peers.map(({ name }) => this.featureNames.indexOf(`${name}.value`))
    this.#counter = new CohortCounter(this.#peers)
    this.#kernel = instantiate(module)
    this.#stager = new BatchStager(this.#kernel, nodeClass)
    configure(this.#kernel, nodeClass, {
      featureCount: this.featureNames.length,
      nodesMax,
      rowsMax,
    })
  }

  get nodeCount(): number {
    return this.#kernel.nodes()
  }

  /** Node indices are below this; some may be free. */
  get indexCount(): number {
    return this.#kernel.slots()
  }

  /** Bytes of the tiles, per node: 1,040 for 16 gauges. Ids, buffers and free slots come on top. */
  get bytesPerNode(): number {
    return this.#kernel.bytesPerNode()
  }

  /** Bytes of WASM memory in use, everything included. */
  get memoryBytes(): number {
    return this.#kernel.usedBytes() >>> 0
  }

  /** Valid for every index in `rows()`, even of a node that has just left. */
  idOf(index: number): NodeId {
    const known = this.#ids[index]
    if (known !== undefined) return known
    const { memory, idPointer, idLength, slots } = this.#kernel
    assert(index < slots(), `no node has index ${index}`)
    const bytes = new Uint8Array(memory.buffer, idPointer(index) >>> 0, idLength(index))
    const id = toText(bytes) as NodeId
    this.#ids[index] = id
    return id
  }

  /** Copies the node's name, UTF-8, to `to[at, ...)`; its length, or -1 where it does not fit. */
  copyId(index: number, to: Uint8Array, at: number): number {
    const { memory, idPointer, idLength } = this.#kernel
    const length = idLength(index)
    if (at + length > to.length) return -1
    const from = idPointer(index) >>> 0
    const bytes = new Uint8Array(memory.buffer, from, length)
    for (let i = 0; i < length; i++) to[at + i] = bytes[i]
    return length
  }

  indexOf(id: string): number | undefined {
    const length = this.#writeId(id)
    if (length === undefined) return undefined
    const index = this.#kernel.lookUp(this.#kernel.idScratchPointer(), length) >>> 0
    return index === NO_NODE ? undefined : index
  }

  poolOf(index: number): PoolId {
    return this.#pools[index] ?? DEFAULT_POOL
  }

  /**
   * Lays one node-log `samples` value ready for `fold`: an Arrow IPC stream with node (utf8, or a
   * dictionary of it), at and appended_at (timestamp[ms]), and a float column per metric. A metric
   * without a column is missing in every row; other columns are counted and ignored.
   */
  load(ipc: Uint8Array): void {
    assert(!this.#pending, 'the samples loaded before are not folded yet')
    this.#healthStale = true
    const staged = this.#stager.stage(ipc)
    this.#unknownColumns += staged.unknownColumns
    this.#kernel.beginFold()
    this.#pending = true
  }

  /** Folds what was loaded; false when the row buffer is full. */
  fold(observed: Observed): boolean {
    if (!this.#pending) return true
    this.#healthStale = true
    this.#pending = this.#kernel.foldStaged(observed.atMs, observed.watermarkMs) === 0
    return !this.#pending
  }

  /** A node's event; false when the row buffer is full, and then nothing of it is folded yet. */
  foldEvent(event: NodeEvent, appendedAtMs: number, observed: Observed): boolean {
    assert(!this.#pending, 'the samples loaded before are not folded yet')
    this.#healthStale = true
    const ends = event.kind === 'leave' || event.kind === 'failure'
    const index = ends ? this.indexOf(event.node) : this.#intern(event.node)
    if (index === undefined) return true
    const alters = ends || ALTERING.has(event.kind)
    if (alters && this.#kernel.emitNodeDue(index, event.atMs) === 0) return false
    if (ends) {
      this.#drop(index)
      return true
    }
    // Rows that wait belong to the peers that the node had until now.
    if (alters) this.#countCohorts()
    if (event.kind === 'join') this.#join(index, event.labels, event.pool)
    if (event.kind === 'labels') this.#relabel(index, event.labels)
    if (event.kind === 'error') this.#noteError(index, event.code, event.atMs)
    this.#kernel.signLife(index, appendedAtMs, observed.atMs, observed.watermarkMs)
    return true
  }

  /** Emits the grid rows due at or before `nowMs` of every node, until the buffer has `rowsMost`. */
  advance(nowMs: number, rowsMost = this.#rowsMax): boolean {
    this.#nowMs = Math.max(this.#nowMs, nowMs)
    return this.#kernel.advance(nowMs, rowsMost) === 1
  }

  /**
   * Emits one `change` row per node changed since its last row, at its newest sample's time. A node
   * with a `change` row less than `minGapMs` before that time waits. With `deviationsMin` over 0 only nodes that
   * are new, or leave their past by so many deviations (`rowDeviation`), and once more when they are back.
   */
  emitChanged(minGapMs: number, deviationsMin = 0): boolean {
    return this.#kernel.emitChanged(minGapMs, deviationsMin) === 1
  }

  rows(): FeatureRows {
    return rowsOf(this.#kernel, this.featureNames.length)
  }

  /** Empties the row buffer. Rows of nodes that left lose their ids with this. */
  clearRows(): void {
    this.#countCohorts()
    this.#counted = 0
    this.#kernel.clearRows()
    for (const index of this.#dropped) this.#release(index)
    this.#dropped.length = 0
  }

  counts(): SampleCounts {
    return countsOf(this.#kernel, this.#unknownColumns)
  }

  /** Nodes whose liveness changed since the last sweep. A class without heartbeats is never silent. */
  sweep(observedNowMs: number): {
    readonly silent: readonly number[]
    readonly live: readonly number[]
  } {
    const { heartbeatIntervalMs } = this.#class
    if (heartbeatIntervalMs === null) return { silent: [], live: [] }
    const count = this.#kernel.sweep(observedNowMs, MISSED_HEARTBEATS * heartbeatIntervalMs)
    const { memory, listPointer } = this.#kernel
    const listed = [...new Uint32Array(memory.buffer, listPointer() >>> 0, count)]
    return {
      silent: listed.filter((index) => index >= SILENT).map((index) => index - SILENT),
      live: listed.filter((index) => index < SILENT),
    }
  }

  /** Nodes that are not silent, but quiet for longer than an interval and as surprisingly as `phi`. */
  suspects(observedNowMs: number, phi: number): Uint32Array {
    const { heartbeatIntervalMs } = this.#class
    if (heartbeatIntervalMs === null) return new Uint32Array(0)
    const count = this.#kernel.suspects(observedNowMs, heartbeatIntervalMs, deviationsAt(phi))
    const { memory, listPointer } = this.#kernel
    return new Uint32Array(memory.buffer, listPointer() >>> 0, count)
  }

  /** As of the last sweep. */
  isSilent(index: number): boolean {
    return this.#kernel.isSilent(index) !== 0
  }

  /** Public append time of the newest sign of life; NaN before the first. */
  lastSeenAtMs(index: number): number {
    return this.#kernel.lastSeenAt(index)
  }

  /** Observed time since the newest sign of life, at least 0; NaN before the first. */
  silentForMs(index: number, observedNowMs: number): number {
    return Math.max(0, observedNowMs - this.#kernel.lastSeenObservedAt(index))
  }

  /** Suspicion (phi accrual): 1 means one mistake in ten, 2 one in a hundred. */
  phi(index: number, observedNowMs: number): number {
    const { arrivalMean, arrivalVariance } = this.#kernel
    return phiOf(this.silentForMs(index, observedNowMs), arrivalMean(index), arrivalVariance(index))
  }

  /** Heartbeat intervals that passed without a sign of life; 0 for a class without heartbeats. */
  missedHeartbeats(index: number, observedNowMs: number): number {
    const { heartbeatIntervalMs } = this.#class
    if (heartbeatIntervalMs === null) return 0
    return Math.floor(this.silentForMs(index, observedNowMs) / heartbeatIntervalMs)
  }

  /** Share of the node's recent samples that had no value of the metric, 0..1. */
  missingRatio(index: number, metric: number): number {
    return this.#kernel.missingRatioOf(index, metric)
  }

  /** float32 by node index, a view; NaN before the node's first sample and for free indices. */
  health(): Float32Array {
    if (this.#healthStale) this.#kernel.healthScores()
    this.#healthStale = false
    const { memory, healthPointer, slots } = this.#kernel
    return new Float32Array(memory.buffer, healthPointer() >>> 0, slots())
  }

  /** Health of one node, 0..1; NaN before its first sample. */
  healthOf(index: number): number {
    return this.#kernel.healthOf(index)
  }

  /** Counts of the windows complete at the newest `advance`, handed out once. */
  cohortCounts(): readonly CohortTable[] {
    return this.#counter.drain(Math.floor(this.#nowMs / this.#class.predictionIntervalMs))
  }

  /** A cohort's merged counts, back from the log; they apply to rows two windows later and on. */
  setCohortTable(table: CohortTable): void {
    const cohort = this.#cohortIndex(table.cohort)
    if (cohort === NO_NODE) return
    const at = this.#kernel.cohortTablePointer(cohort, table.window) >>> 0
    if (at === 0) return
    for (const [index, { name }] of this.#peers.entries()) {
      const shares = percentiles(table.metrics[name] ?? [])
      new Float32Array(this.#kernel.memory.buffer, at + index * shares.byteLength).set(shares)
    }
  }

  #writeId(id: string): number | undefined {
    const bytes = toBytes(id)
    if (bytes.length === 0 || bytes.length > 256) return undefined
    new Uint8Array(this.#kernel.memory.buffer, this.#kernel.idScratchPointer()).set(bytes)
    return bytes.length
  }

  #intern(id: NodeId): number | undefined {
    const length = this.#writeId(id)
    if (length === undefined) return undefined
    const index = this.#kernel.intern(this.#kernel.idScratchPointer(), length) >>> 0
    if (index !== NO_NODE) return index
    throw new ServiceError(
      'TABLE_FULL',
      `the node table is full at ${this.nodeCount} nodes: raise nodesMax or add partitions`,
    )
  }

  #join(index: number, labels: Readonly<Record<string, string>>, pool: PoolId): void {
    this.#class.attributes.forEach((attribute, i) => {
      this.#kernel.setAttribute(index, i, attributeValue(attribute, labels[attribute.label]))
    })
    this.#pools[index] = pool
    this.#models[index] = labels['model']
    this.#setCohort(index)
  }

  #relabel(index: number, labels: Readonly<Record<string, string | null>>): void {
    this.#class.attributes.forEach((attribute, i) => {
      const label = labels[attribute.label]
      if (label === undefined) return
      this.#kernel.setAttribute(index, i, attributeValue(attribute, label))
    })
    if (labels['pool'] !== undefined) {
      this.#pools[index] = (labels['pool'] ?? DEFAULT_POOL) as PoolId
    }
    if (labels['model'] !== undefined) this.#models[index] = labels['model'] ?? undefined
    this.#setCohort(index)
  }

  #noteError(index: number, code: string, atMs: number): void {
    this.#class.attributes.forEach((attribute, i) => {
      if (attribute.error === code) this.#kernel.setAttribute(index, i, atMs)
    })
  }

  #setCohort(index: number): void {
    const pool = this.poolOf(index)
    const nodeClass = this.#class.name
    const cohort = `${pool}/${nodeClass}/${this.#models[index] ?? ''}`
    this.#cohortOf[index] = { cohort, pool, nodeClass }
    if (this.#peers.length > 0) this.#kernel.setCohort(index, this.#cohortIndex(cohort))
  }

  /** Beyond the limit a cohort has no peers, which is a missing feature and no error. */
  #cohortIndex(cohort: string): number {
    const known = this.#cohorts.get(cohort)
    if (known !== undefined) return known
    if (this.#cohorts.size === COHORTS_MAX) return NO_NODE
    this.#cohorts.set(cohort, this.#cohorts.size)
    return this.#cohorts.size - 1
  }

  #countCohorts(): void {
    if (this.#peers.length === 0) return
    const { count, node, atMs, trigger, matrix } = this.rows()
    for (let row = this.#counted; row < count; row++) {
      const cohort = this.#cohortOf[node[row]]
      if (cohort === undefined || trigger[row] !== 0) continue
      const window = Math.floor(atMs[row] / this.#class.predictionIntervalMs)
      const from = row * this.featureNames.length
      this.#counter.add(
        cohort,
        window,
        this.#peerColumns.map((column) => matrix[from + column]),
      )
    }
    this.#counted = count
  }

  #drop(index: number): void {
    this.idOf(index)
    this.#kernel.drop(index)
    if (this.#kernel.rowsReady() > 0) this.#dropped.push(index)
    else this.#release(index)
  }

  #release(index: number): void {
    this.#kernel.release(index)
    this.#ids[index] = undefined
    this.#pools[index] = undefined
    this.#models[index] = undefined
    this.#cohortOf[index] = undefined
  }
}
