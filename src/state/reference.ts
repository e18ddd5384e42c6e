/**
 * The readable twin of the WASM kernels that fold samples and make rows: one object per node, rows in
 * a list, the same arithmetic. test/wasm holds the two bit-equal; nothing else uses it.
 */
import { halving } from './halving.ts'
import { f32Of, ReferenceMetric, VALUE_MAX } from './reference-metric.ts'
import { attributeValue } from './features.ts'
import type { NodeClass, NodeEvent } from '../core/node.ts'

export interface ReferenceSample {
  readonly node: string
  readonly at: number
  readonly appendedAt?: number
  readonly metrics: Readonly<Record<string, number | null>>
}

export interface ReferenceRow {
  readonly node: string
  readonly atMs: number
  readonly trigger: 'grid' | 'change'
  readonly features: Float32Array
}

const TIME_MAX = 2 ** 47 - 1
const HOUR_MS = 3_600_000
const NEW_HALF_LIVES = 3

interface ReferenceNode {
  readonly metrics: readonly ReferenceMetric[]
  readonly attributes: number[]
  firstAt: number
  lastAt: number
  nextGrid: number
  emittedAt: number
  changed: boolean
  /** A sample after its last change row, or that row's own, left the node's past. */
  noticed: boolean
}

export class ReferenceNodeTable {
  readonly rows: ReferenceRow[] = []
  readonly counts = { rows: 0, folded: 0, late: 0, rejected: 0, outOfBounds: 0 }
  readonly #class: NodeClass
  readonly #nodes = new Map<string, ReferenceNode>()

  constructor(nodeClass: NodeClass) {
    this.#class = nodeClass
  }

  get nodeCount(): number {
    return this.#nodes.size
  }

  fold({ node: id, at, metrics }: ReferenceSample): void {
    this.counts.rows++
    const node = this.#intern(id)
    if (Math.abs(at) > TIME_MAX) {
      this.counts.rejected++
      return
    }
    this.#emitDue(id, node, at)
    const newer = at > node.lastAt
    let taken = false
    for (const [index, { name }] of this.#class.metrics.entries()) {
      const raw = this.#bounded(index, metrics[name] ?? Number.NaN)
      const present = !Number.isNaN(raw)
      if (newer) node.metrics[index].foldMissing(present)
      if (present && node.metrics[index].fold(at, raw)) taken = true
    }
    if (newer) this.#sampled(node, at)
    if (newer || taken) {
      node.changed = true
      this.counts.folded++
    } else {
      this.counts.late++
    }
  }

  foldEvent(event: NodeEvent): void {
    const ends = event.kind === 'leave' || event.kind === 'failure'
    if (ends && !this.#nodes.has(event.node)) return
    const node = this.#intern(event.node)
    const alters = ends || ['join', 'labels', 'error'].includes(event.kind)
    if (alters) this.#emitDue(event.node, node, event.atMs)
    if (ends) this.#nodes.delete(event.node)
    for (const [index, attribute] of this.#class.attributes.entries()) {
      if (event.kind === 'error' && event.code === attribute.error) {
        node.attributes[index] = event.atMs
      }
      if (event.kind !== 'join' && event.kind !== 'labels') continue
      const label = event.labels[attribute.label]
      if (event.kind === 'labels' && label === undefined) continue
      node.attributes[index] = attributeValue(attribute, label)
    }
  }

  advance(nowMs: number): void {
    for (const [id, node] of this.#nodes) {
      while (node.nextGrid <= nowMs) this.#emitGrid(id, node)
    }
  }

  emitChanged(minGapMs: number, deviationsMin = 0): void {
    for (const [id, node] of this.#nodes) {
      if (!node.changed) continue
      const leaves = this.#leavesPast(node, deviationsMin)
      const due = node.lastAt - node.emittedAt >= minGapMs
      if (due && (leaves || node.noticed)) {
        this.#emit(id, node, node.lastAt, 'change')
        node.noticed = leaves
      } else if (leaves) node.noticed = true
    }
  }

  /** Who is new has no past yet, and after that a variance that knows a share of it. */
  #leavesPast({ metrics, firstAt, lastAt }: ReferenceNode, deviationsMin: number): boolean {
    const [shortest, , longest] = this.#class.halfLivesMs
    const ageMs = lastAt - firstAt
    if (deviationsMin <= 0 || !(ageMs >= NEW_HALF_LIVES * shortest)) return true
    const widening = Math.fround(1 / Math.sqrt(1 - halving(ageMs / longest)))
    return this.#class.metrics.some((metric, m) =>
      metrics[m].leaves(lastAt, metric, deviationsMin, widening),
    )
  }

  /** The last values by metric, for the health score; `undefined` before the first sample. */
  valuesOf(id: string): readonly number[] | undefined {
    const node = this.#nodes.get(id)
    if (node === undefined || node.lastAt === -Infinity) return undefined
    return node.metrics.map(({ value }) => value)
  }

  missingRatio(id: string, metric: number): number {
    return this.#nodes.get(id)!.metrics[metric].missing
  }

  #intern(id: string): ReferenceNode {
    let node = this.#nodes.get(id)
    if (node === undefined) {
      node = {
        metrics: this.#class.metrics.map(
          ({ kind }) => new ReferenceMetric(kind, this.#class.halfLivesMs),
        ),
        attributes: this.#class.attributes.map(() => Number.NaN),
        firstAt: Number.NaN,
        lastAt: -Infinity,
        nextGrid: Infinity,
        emittedAt: -Infinity,
        changed: false,
        noticed: false,
      }
      this.#nodes.set(id, node)
    }
    return node
  }

  #bounded(index: number, raw: number): number {
    const { min, max, kind } = this.#class.metrics[index]
    if (Number.isNaN(raw)) return raw
    const low = Math.max(min ?? (kind === 'counter' ? 0 : -Infinity), -VALUE_MAX)
    const high = Math.min(max ?? Infinity, VALUE_MAX)
    // Bounds are those of the float32 that the table holds.
    const held = Math.fround(raw)
    if (held >= Math.fround(low) && held <= Math.fround(high)) return raw
    this.counts.outOfBounds++
    return Number.NaN
  }

  #sampled(node: ReferenceNode, at: number): void {
    node.lastAt = at
    if (!Number.isNaN(node.firstAt)) return
    const { predictionIntervalMs, gridOrigin } = this.#class
    node.firstAt = at
    node.nextGrid =
      gridOrigin === 'first-sample'
        ? at
        : Math.ceil(at / predictionIntervalMs) * predictionIntervalMs
  }

  #emitDue(id: string, node: ReferenceNode, at: number): void {
    while (node.nextGrid < at) this.#emitGrid(id, node)
  }

  #emitGrid(id: string, node: ReferenceNode): void {
    const t = node.nextGrid
    node.nextGrid += this.#class.predictionIntervalMs
    this.#emit(id, node, t, 'grid')
  }

  #emit(id: string, node: ReferenceNode, t: number, trigger: 'grid' | 'change'): void {
    node.changed = false
    if (trigger === 'change') node.emittedAt = t
    const { metrics, attributes } = this.#class
    const features: number[] = []
    for (const [index, { peers, min, max }] of metrics.entries()) {
      features.push(...node.metrics[index].features(t))
      if (peers && min !== null && max !== null) features.push(Number.NaN)
    }
    for (const [index, { kind }] of attributes.entries()) {
      const value = node.attributes[index]
      features.push(f32Of(kind === 'since' ? (t - value) / HOUR_MS : value))
    }
    features.push(f32Of((t - node.firstAt) / HOUR_MS))
    // Arithmetic leaves NaNs of either sign; the table gives one bit pattern, and so do we.
    const bits = features.map((value) => (Number.isNaN(value) ? Number.NaN : value))
    this.rows.push({ node: id, atMs: t, trigger, features: new Float32Array(bits) })
  }
}
