/**
 * What a model learns of each row. A failure within a horizon is a label; remaining life is two: the row
 * counts once as failed and once as well, weighted by the shares of the horizon that are used up and
 * left. The logistic loss of both together is least where the probability is the expected share.
 */
import type { Lives } from './labels.ts'
import type { Part } from './manifest.ts'
import type { RowFacts } from './row-store.ts'

/** Rows may be listed twice, or not at all where their label is unknown. */
export interface Target {
  readonly rows: Uint32Array
  readonly labels: Uint8Array
  readonly weights: Float32Array
}

export type Goal = Pick<Part, 'target' | 'horizonMs' | 'failureKind'>

export function targetOf(goal: Goal, facts: RowFacts, lives: Lives): Target {
  const rows: number[] = []
  const labels: number[] = []
  const weights: number[] = []
  const add = (row: number, label: number, weight: number): void => {
    if (weight <= 0) return
    rows.push(row)
    labels.push(label)
    weights.push(weight)
  }
  for (let row = 0; row < facts.node.length; row++) {
    const used = usedShare(goal, lives, facts.node[row], facts.atMs[row])
    if (Number.isNaN(used)) continue
    add(row, 1, used)
    add(row, 0, 1 - used)
  }
  return {
    rows: Uint32Array.from(rows),
    labels: Uint8Array.from(labels),
    weights: Float32Array.from(weights),
  }
}

/** 0..1; NaN where it is not known. */
export function usedShare(goal: Goal, lives: Lives, node: number, atMs: number): number {
  const { horizonMs, failureKind } = goal
  const label = lives.labelOf(node, atMs, horizonMs, failureKind ?? undefined)
  if (label.kind === 'unknown') return Number.NaN
  if (label.kind === 'negative') return 0
  return goal.target === 'failure' ? 1 : 1 - (label.failureAtMs - atMs) / horizonMs
}
