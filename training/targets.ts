/**
 * What a model learns of each row: a failure within the horizon is a label, a remaining life is the share
 * of the horizon that is used up.
 */
import type { Lives } from './labels.ts'
import type { Part } from './manifest.ts'
import type { RowFacts } from './row-store.ts'

/** Of the rows of which it is known. */
export interface Target {
  readonly rows: Uint32Array
  /** 1: fails within the horizon. */
  readonly labels: Uint8Array
  /** Shares of the horizon, where these are learned instead of the labels. */
  readonly shares: Float32Array | null
}

export type Goal = Pick<Part, 'target' | 'horizonMs' | 'failureKind'>

export function targetOf(goal: Goal, facts: RowFacts, lives: Lives): Target {
  const used = Float32Array.from(facts.node, (node, row) =>
    usedShare(goal, lives, node, facts.atMs[row]),
  )
  const rows = Uint32Array.from(used.keys()).filter((row) => !Number.isNaN(used[row]))
  return {
    rows,
    labels: Uint8Array.from(rows, (row) => (used[row] > 0 ? 1 : 0)),
    shares: goal.target === 'failure' ? null : Float32Array.from(rows, (row) => used[row]),
  }
}

/** 0..1; NaN where it is not known. */
export function usedShare(goal: Goal, lives: Lives, node: number, atMs: number): number {
  const { horizonMs, failureKind } = goal
  const label = lives.labelOf(node, atMs, horizonMs, failureKind ?? undefined)
  if (label.kind === 'unknown' || label.kind === 'moved') return Number.NaN
  if (label.kind === 'negative') return 0
  return goal.target === 'failure' ? 1 : 1 - (label.failureAtMs - atMs) / horizonMs
}
