/**
 * Alerts: scores turned into what an operator would have been told. A node's alert is raised when its
 * score reaches the threshold, unless one was raised on it within the horizon. An alert is false when
 * the node does not fail within the horizon. A failure is foreseen when any row of its last horizon
 * reaches the threshold. Rates are per node-month of exposure, never per row.
 */
import { assert } from '../src/core/errors.ts'
import { MONTH_MS } from '../src/core/time.ts'

/** Rows with scores; rows of one node lie together, in time order. */
export interface ScoredRows {
  /** An index of the node, for grouping only. */
  readonly node: Uint32Array
  readonly atMs: Float64Array
  readonly labels: Uint8Array
  /** When the failure happens that makes the row positive; NaN otherwise. */
  readonly failureAtMs: Float64Array
  readonly scores: Float32Array | Float64Array
  /** Exposure: each row stands for this much time of its node. */
  readonly intervalMs: number
  readonly horizonMs: number
}

export interface AlertCounts {
  readonly alertCount: number
  readonly falseCount: number
  readonly failureCount: number
  readonly foreseenCount: number
  readonly falsePer1000NodeMonths: number
  /** Failure minus the first row of its last horizon at the threshold; median. */
  readonly leadTimeMs: number | null
}

/** @param leadMinMs a failure counts as foreseen only when first seen at least this long before. */
export function countAlerts(rows: ScoredRows, threshold: number, leadMinMs = 0): AlertCounts {
  const { node, atMs, labels, failureAtMs, scores } = rows
  let [alertCount, falseCount, failureCount] = [0, 0, 0]
  const leads: number[] = []
  let raisedAtMs = -Infinity
  let foreseenAtMs = NaN
  let failing = NaN
  for (let i = 0; i < node.length; i++) {
    if (i === 0 || node[i] !== node[i - 1]) raisedAtMs = -Infinity
    const isNewFailure = labels[i] === 1 && (failureAtMs[i] !== failing || node[i] !== node[i - 1])
    if (isNewFailure) {
      failureCount++
      failing = failureAtMs[i]!
      foreseenAtMs = NaN
    }
    if (scores[i] < threshold) continue
    if (labels[i] === 1 && Number.isNaN(foreseenAtMs)) {
      foreseenAtMs = atMs[i]!
      if (failing - foreseenAtMs >= leadMinMs) leads.push(failing - foreseenAtMs)
    }
    if (atMs[i] - raisedAtMs < rows.horizonMs) continue
    raisedAtMs = atMs[i]!
    alertCount++
    if (labels[i] === 0) falseCount++
  }
  const months = monthsOf(rows)
  return {
    alertCount,
    falseCount,
    failureCount,
    foreseenCount: leads.length,
    falsePer1000NodeMonths: months === 0 ? 0 : (falseCount * 1_000) / months,
    leadTimeMs: median(leads),
  }
}

/** Node-months of exposure. */
export function monthsOf({ node, intervalMs }: ScoredRows): number {
  return (node.length * intervalMs) / MONTH_MS
}

/** The lowest threshold whose false alarms stay within the budget. */
export function thresholdFor(rows: ScoredRows, falsePer1000NodeMonths: number): number {
  return thresholdsFor(rows, [falsePer1000NodeMonths])[0]
}

/** The same of each budget. */
export function thresholdsFor(rows: ScoredRows, budgets: readonly number[]): readonly number[] {
  assert(rows.scores.length > 0)
  const distinct = distinctScores(rows)
  return budgets.map((budget) => lowestWithin(rows, distinct, budget))
}

/** Falling. */
function distinctScores({ scores }: ScoredRows): Float64Array {
  const sorted = Float64Array.from(scores).sort().toReversed()
  return sorted.filter((score, i) => i === 0 || score !== sorted[i - 1])
}

function lowestWithin(
  rows: ScoredRows,
  distinct: Float64Array,
  falsePer1000NodeMonths: number,
): number {
  // Above the highest score nothing alarms; the count grows as the threshold falls.
  let within = -1
  let beyond = distinct.length
  while (beyond - within > 1) {
    const middle = (within + beyond) >> 1
    const counts = countAlerts(rows, distinct[middle])
    if (counts.falsePer1000NodeMonths <= falsePer1000NodeMonths) within = middle
    else beyond = middle
  }
  return within < 0 ? justAbove(distinct[0]) : distinct[within]
}

function justAbove(value: number): number {
  return value + Math.max(Math.abs(value), 1e-6) * 1e-6
}

export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
