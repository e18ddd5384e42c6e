/**
 * Folds a history through the node table, the same that serves, and hands out labelled feature rows.
 *
 * Samples are staged in Arrow record batches as on the node-log. Only the order within a node matters
 * to its rows, so an event waits for the staged samples of its own node and for no others.
 */
import { ServiceError } from '../src/core/errors.ts'
import { isIntervention, type NodeClass } from '../src/core/node.ts'
import { SampleBuilder } from '../src/ingest/samples.ts'
import { NodeTable } from '../src/state/node-table.ts'
import type { History, HistoryEvent, SampleRows } from './history.ts'
import { Lives, type Label } from './labels.ts'

/** One labelled row. `matrix` is a view: copy what is kept before returning. */
export interface FoldedRow {
  /** Number of the node in `lives`. */
  readonly node: number
  readonly hash: number
  readonly atMs: number
  readonly label: Extract<Label, { kind: 'positive' | 'negative' }>
  /** Of a life that is learned from and never judged by. */
  readonly onlyFit: boolean
  readonly matrix: Float32Array
  /** Index of the row's first value in `matrix`. */
  readonly from: number
  /** Features per row. */
  readonly width: number
}

export interface FoldOptions {
  readonly history: History
  readonly nodeClass: NodeClass
  readonly module: WebAssembly.Module
  /** Nodes (by hash) whose rows are handed out; the others are folded only where nodes have peers. */
  readonly wanted?: (hash: number) => boolean
  readonly onRow: (row: FoldedRow) => void
  /** A row of which nothing is known but that work was moved off its node in time; else it is dropped. */
  readonly onMoved?: (row: FoldedRow) => void
  /** Awaited between record batches, so that rows can be worked off while the history is read. */
  readonly onPause?: () => Promise<void>
  readonly onProgress?: (sampleCount: number) => void
  readonly signal?: AbortSignal
}

const NODES_MAX = 1_048_576

/** Returns the table's feature names and hash, and every node seen. */
export async function foldHistory(options: FoldOptions): Promise<FoldedHistory> {
  const fold = new HistoryFold(options)
  let sampleCount = 0
  for await (const rows of options.history.samples()) {
    if (options.signal?.aborted === true) {
      throw new ServiceError('INTERRUPTED', 'interrupted; nothing was written')
    }
    fold.add(rows)
    sampleCount += rows.count
    options.onProgress?.(sampleCount)
    await options.onPause?.()
  }
  return fold.finish()
}

export interface FoldedHistory {
  readonly lives: Lives
  readonly featureNames: readonly string[]
  readonly featureHash: string
}

class HistoryFold {
  readonly #options: FoldOptions
  readonly #lives: Lives
  readonly #hasPeers: boolean
  readonly #table: NodeTable
  readonly #builder: SampleBuilder
  readonly #encoder = new TextEncoder()
  /** Nodes with staged samples. */
  readonly #staged = new Set<number>()
  /** Node number by slot of the table; -1: ask the table. */
  readonly #numberBySlot = new Int32Array(NODES_MAX).fill(-1)
  #nextEvent = 0
  #nowMs = -Infinity
  #window = -Infinity

  constructor(options: FoldOptions) {
    const { history, module, nodeClass } = options
    this.#options = options
    this.#lives = new Lives(history.events, history.manifest.horizonMs, history.endMs)
    this.#hasPeers = nodeClass.metrics.some(({ peers }) => peers)
    this.#table = new NodeTable(module, nodeClass, { nodesMax: NODES_MAX })
    this.#builder = new SampleBuilder(nodeClass)
  }

  add(rows: SampleRows): void {
    for (let i = 0; i < rows.count; i++) {
      const atMs = rows.atMs[i]
      this.#foldEvents(atMs)
      const number = this.#lives.numberOf(rows.nodes[i])
      if (!this.#isFolded(number)) continue
      this.#turnWindows(atMs)
      this.#nowMs = atMs
      if (this.#builder.full) this.#flush()
      const name = this.#encoder.encode(rows.nodes[i])
      this.#builder.append(name, 0, name.length, atMs, atMs)
      for (const [metric, column] of rows.columns.entries()) this.#builder.set(metric, column[i])
      this.#staged.add(number)
    }
  }

  finish(): FoldedHistory {
    this.#foldEvents(Infinity)
    const { endMs } = this.#options.history
    this.#turnWindows(endMs)
    this.#flush()
    this.#advance(endMs)
    const { featureNames, featureHash } = this.#table
    return { lives: this.#lives, featureNames, featureHash }
  }

  /** A node that is not wanted is still a peer of those that are. */
  #isFolded(number: number): boolean {
    return this.#hasPeers || this.#isWanted(number)
  }

  #isWanted(number: number): boolean {
    const { wanted } = this.#options
    return wanted === undefined || wanted(this.#lives.hashOf(number))
  }

  /** Events before `atMs`, and joins at it: a sample belongs to the life that begins with it. */
  #foldEvents(atMs: number): void {
    const { events } = this.#options.history
    for (; this.#nextEvent < events.length; this.#nextEvent++) {
      const event = events[this.#nextEvent]
      const isDue = event.atMs < atMs || (event.atMs === atMs && event.kind === 'join')
      if (!isDue) return
      this.#foldEvent(event)
    }
  }

  /**
   * Before anything later than a grid time, every row due at it is taken, and the counts of the window
   * that it ends come back as a table, as they do through the log. Where nobody reports for several
   * windows they end one by one. Classes without peers need no such order between nodes.
   */
  #turnWindows(atMs: number): void {
    if (!this.#hasPeers) return
    const { predictionIntervalMs } = this.#options.nodeClass
    // Samples at a grid time itself still belong to its row.
    const window = Math.ceil(atMs / predictionIntervalMs) - 1
    if (window <= this.#window) return
    this.#flush()
    const from = Number.isFinite(this.#window) ? this.#window + 1 : window
    for (let turned = from; turned <= window; turned++) {
      this.#advance(turned * predictionIntervalMs)
      for (const counts of this.#table.cohortCounts()) this.#table.setCohortTable(counts)
    }
    this.#window = window
  }

  #advance(nowMs: number): void {
    while (!this.#table.advance(nowMs)) this.#drain()
    this.#drain()
  }

  #foldEvent(event: HistoryEvent): void {
    const number = this.#lives.numberOf(event.node)
    if (!this.#isFolded(number)) return
    // What was done to a node is a matter of labels alone.
    if (isIntervention(event)) return
    this.#turnWindows(event.atMs)
    if (this.#staged.has(number)) this.#flush()
    const ends = event.kind === 'leave' || event.kind === 'failure'
    const slot = this.#table.indexOf(event.node)
    if (slot !== undefined) this.#numberBySlot[slot] = number
    const observed = { atMs: event.atMs, watermarkMs: event.atMs }
    while (!this.#table.foldEvent(event, event.atMs, observed)) this.#drain()
    // Rows of a node that has just ended still carry its slot, which the next node may get.
    if (!ends) return
    this.#drain()
    if (slot !== undefined) this.#numberBySlot[slot] = -1
  }

  #flush(): void {
    if (this.#builder.count === 0) return
    this.#table.load(this.#builder.build())
    this.#staged.clear()
    const observed = { atMs: this.#nowMs, watermarkMs: this.#nowMs }
    while (!this.#table.fold(observed)) this.#drain()
    this.#drain()
  }

  #drain(): void {
    const { count, node, atMs, matrix } = this.#table.rows()
    if (count === 0) return
    const width = this.#table.featureNames.length
    for (let i = 0; i < count; i++) {
      const number = this.#numberOf(node[i])
      if (!this.#isWanted(number)) continue
      const label = this.#lives.labelOf(number, atMs[i])
      if (label.kind === 'unknown') continue
      const hash = this.#lives.hashOf(number)
      const onlyFit = this.#lives.isOnlyFit(number, atMs[i])
      const place = { node: number, hash, atMs: atMs[i], onlyFit, matrix, from: i * width, width }
      if (label.kind !== 'moved') this.#options.onRow({ ...place, label })
      else this.#options.onMoved?.({ ...place, label: { kind: 'negative' } })
    }
    this.#table.clearRows()
  }

  #numberOf(slot: number): number {
    if (this.#numberBySlot[slot] < 0) {
      this.#numberBySlot[slot] = this.#lives.numberOf(this.#table.idOf(slot))
    }
    return this.#numberBySlot[slot]
  }
}
