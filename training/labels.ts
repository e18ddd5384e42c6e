/**
 * Labels from the ends of lives. A row is positive when its node fails within the horizon, negative
 * when it was seen to live through it, and unknown (dropped) when it left the history before that:
 * the future of a node nobody watched is no evidence of health. A history may know how a node fared
 * after its telemetry ended, and then says until when. A row that was lived through with the node's work moved
 * away in time is told apart: whether the failure would have come is unknown too.
 */
import type { HistoryEvent } from './history.ts'
import { nodeHash } from './manifest.ts'

interface Failure {
  readonly atMs: number
  readonly kind: string
}

/** A stretch of time that was not watched: nothing is known of failures in it. */
interface Gap {
  readonly fromMs: number
  readonly toMs: number
}

interface Join {
  readonly atMs: number
  readonly onlyFit: boolean
}

interface Node {
  readonly hash: number
  pool: string | null
  /** Rising in time. */
  readonly failures: Failure[]
  readonly gaps: Gap[]
  readonly joins: Join[]
  /** Work was moved off it. */
  readonly moves: Gap[]
  /** When it was last cut off alive; NaN: never. */
  leftAtMs: number
}

export type Label =
  | { readonly kind: 'positive'; readonly failureAtMs: number }
  | { readonly kind: 'negative' }
  | { readonly kind: 'moved' }
  | { readonly kind: 'unknown' }

/** After it a node's work may be on it again. */
const ENDING: ReadonlySet<HistoryEvent['kind']> = new Set(['returned', 'failure', 'leave', 'join'])

const NEGATIVE: Label = { kind: 'negative' }
const MOVED: Label = { kind: 'moved' }
const UNKNOWN: Label = { kind: 'unknown' }

/** Of a node whose work was moved it is not known what would have been. */
export function isKnown({ kind }: Label): boolean {
  return kind === 'positive' || kind === 'negative'
}

/** NaN where no failure lies ahead. */
export function failureAtMsOf(label: Label): number {
  return label.kind === 'positive' ? label.failureAtMs : Number.NaN
}

/** Every node of a history, numbered in order of first appearance. */
export class Lives {
  readonly #numbers = new Map<string, number>()
  readonly #nodes: Node[] = []
  readonly #horizonMs: number
  readonly #endMs: number

  constructor(events: readonly HistoryEvent[], horizonMs: number, endMs: number) {
    this.#horizonMs = horizonMs
    this.#endMs = endMs
    for (const event of events) this.#add(event)
  }

  get nodeCount(): number {
    return this.#nodes.length
  }

  numberOf(node: string): number {
    const known = this.#numbers.get(node)
    if (known !== undefined) return known
    const number = this.#nodes.length
    this.#numbers.set(node, number)
    const hash = nodeHash(node)
    this.#nodes.push({
      hash,
      pool: null,
      failures: [],
      gaps: [],
      joins: [],
      moves: [],
      leftAtMs: NaN,
    })
    return number
  }

  hashOf(number: number): number {
    return this.#nodes[number].hash
  }

  /** The pool that it first joined; null for a node that never did. */
  poolOf(number: number): string | null {
    return this.#nodes[number].pool
  }

  /** Its telemetry was cut off while it was alive. */
  wasCutOff(number: number): boolean {
    return !Number.isNaN(this.#nodes[number].leftAtMs)
  }

  /** Whether the life that a row belongs to is for learning only. */
  isOnlyFit(number: number, atMs: number): boolean {
    return this.#nodes[number].joins.findLast((join) => join.atMs <= atMs)?.onlyFit === true
  }

  /** The next failure, of a kind or of any; Infinity when the history knows of none. */
  nextFailureAtMs(number: number, atMs: number, kind?: string): number {
    const isNext = (failure: Failure) =>
      failure.atMs > atMs && (kind === undefined || failure.kind === kind)
    return this.#nodes[number].failures.find(isNext)?.atMs ?? Infinity
  }

  labelOf(number: number, atMs: number, horizonMs = this.#horizonMs, kind?: string): Label {
    const failureAtMs = this.nextFailureAtMs(number, atMs, kind)
    const untilMs = Math.min(failureAtMs, this.#knownUntilMs(number, atMs))
    if (untilMs === failureAtMs && untilMs - atMs <= horizonMs) {
      return { kind: 'positive', failureAtMs }
    }
    if (untilMs - atMs < horizonMs) return UNKNOWN
    return this.#wasMoved(number, atMs, atMs + horizonMs) ? MOVED : NEGATIVE
  }

  #wasMoved(number: number, fromMs: number, toMs: number): boolean {
    return this.#nodes[number].moves.some((move) => move.fromMs <= toMs && move.toMs >= fromMs)
  }

  /** The end of the stretch around `atMs` in which every failure is known. */
  #knownUntilMs(number: number, atMs: number): number {
    return this.#nodes[number].gaps.find(({ toMs }) => toMs > atMs)?.fromMs ?? this.#endMs
  }

  #add(event: HistoryEvent): void {
    const { atMs } = event
    const node = this.#nodes[this.numberOf(event.node)]
    if (event.kind === 'moved' && node.moves.at(-1)?.toMs !== Infinity) {
      node.moves.push({ fromMs: atMs, toMs: Infinity })
    }
    if (ENDING.has(event.kind)) this.#letBack(node, atMs)
    if (event.kind === 'failure') {
      node.failures.push({ atMs, kind: event.failureKind })
      // Who failed out of sight is back in it.
      this.#watch(node, atMs)
    }
    if (event.kind === 'leave') {
      node.leftAtMs = atMs
      node.gaps.push({ fromMs: event.knownUntilMs ?? atMs, toMs: Infinity })
    }
    if (event.kind === 'join') {
      node.pool ??= event.pool
      node.joins.push({ atMs, onlyFit: event.onlyFit === true })
      this.#watch(node, atMs)
    }
  }

  /** A node that ends, or is let back, is as any other from then on. */
  #letBack({ moves }: Node, atMs: number): void {
    const last = moves.at(-1)
    if (last?.toMs === Infinity) moves[moves.length - 1] = { fromMs: last.fromMs, toMs: atMs }
  }

  #watch(node: Node, atMs: number): void {
    const gap = node.gaps.at(-1)
    if (gap?.toMs !== Infinity) return
    node.gaps[node.gaps.length - 1] = { fromMs: gap.fromMs, toMs: Math.max(gap.fromMs, atMs) }
  }
}
