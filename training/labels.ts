/**
 * Labels from the ends of lives. A row is positive when its node fails within the horizon, negative
 * when it was seen to live through it, and unknown (dropped) when it left the history before that:
 * the future of a node nobody watched is no evidence of health.
 */
import type { NodeEvent } from '../src/core/node.ts'
import { nodeHash } from './manifest.ts'

interface End {
  readonly atMs: number
  readonly failed: boolean
}

export type Label =
  | { readonly kind: 'positive'; readonly failureAtMs: number }
  | { readonly kind: 'negative' }
  | { readonly kind: 'unknown' }

const NEGATIVE: Label = { kind: 'negative' }
const UNKNOWN: Label = { kind: 'unknown' }

/** Every node of a history, numbered in order of first appearance. */
export class Lives {
  readonly #numbers = new Map<string, number>()
  readonly #ends: End[][] = []
  readonly #hashes: number[] = []
  readonly #horizonMs: number
  readonly #endMs: number

  constructor(events: readonly NodeEvent[], horizonMs: number, endMs: number) {
    this.#horizonMs = horizonMs
    this.#endMs = endMs
    for (const { kind, node, atMs } of events) {
      const number = this.numberOf(node)
      if (kind === 'leave' || kind === 'failure') {
        this.#ends[number].push({ atMs, failed: kind === 'failure' })
      }
    }
  }

  get nodeCount(): number {
    return this.#hashes.length
  }

  numberOf(node: string): number {
    const known = this.#numbers.get(node)
    if (known !== undefined) return known
    const number = this.#hashes.length
    this.#numbers.set(node, number)
    this.#ends.push([])
    this.#hashes.push(nodeHash(node))
    return number
  }

  hashOf(number: number): number {
    return this.#hashes[number]
  }

  labelOf(number: number, atMs: number): Label {
    const end = this.#ends[number].find((candidate) => candidate.atMs > atMs)
    const untilMs = end?.atMs ?? this.#endMs
    if (end?.failed === true && untilMs - atMs <= this.#horizonMs) {
      return { kind: 'positive', failureAtMs: untilMs }
    }
    return untilMs - atMs >= this.#horizonMs ? NEGATIVE : UNKNOWN
  }
}
