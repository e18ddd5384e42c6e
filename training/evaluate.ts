/** Scores of one slice, judged: ranking per row, alerts per node-month. */
import type { Quality } from '../src/core/model.ts'
import { countAlerts, thresholdFor, thresholdsFor, type ScoredRows } from './alerts.ts'
import type { Manifest } from './manifest.ts'
import type { RowFacts } from './row-store.ts'
import {
  averagePrecision,
  brierScore,
  brierSkill,
  calibrationError,
  recallAtPrecision,
  rocArea,
} from './quality.ts'
import { fitSigmoid } from './calibration-sigmoid.ts'

/** Rows of one node together, in time order, from rows in order of folding. */
function orderByNode(rows: Omit<RowFacts, 'rules'>): Uint32Array {
  const nodeCount = rows.node.reduce((most, node) => Math.max(most, node), 0) + 1
  const next = new Uint32Array(nodeCount + 1)
  for (const node of rows.node) next[node + 1]++
  for (let n = 0; n < nodeCount; n++) next[n + 1] += next[n]
  const order = new Uint32Array(rows.node.length)
  for (let i = 0; i < order.length; i++) order[next[rows.node[i]]++] = i
  return order
}

export function scoredRows(
  rows: Omit<RowFacts, 'rules'>,
  scores: Float32Array | Float64Array,
  intervalMs: number,
  horizonMs: number,
): ScoredRows {
  const order = orderByNode(rows)
  return {
    node: Uint32Array.from(order, (i) => rows.node[i]),
    atMs: Float64Array.from(order, (i) => rows.atMs[i]),
    labels: Uint8Array.from(order, (i) => rows.labels[i]),
    failureAtMs: Float64Array.from(order, (i) => rows.failureAtMs[i]),
    scores: Float64Array.from(order, (i) => scores[i]),
    intervalMs,
    horizonMs,
  }
}

/** `probabilities`: where the scores are none, since a rule's counts rank but have no Brier score. */
export function judge(
  rows: ScoredRows,
  threshold: number,
  budgets: readonly number[],
  probabilities?: Float64Array,
): Quality {
  const { scores, labels } = rows
  const atThreshold = countAlerts(rows, threshold)
  const { alertCount, falseCount, failureCount, foreseenCount } = atThreshold
  return {
    rowCount: scores.length,
    positiveCount: labels.reduce((sum, label) => sum + label, 0),
    nodeCount: new Set(rows.node).size,
    prAuc: averagePrecision(scores, labels),
    rocAuc: rocArea(scores, labels),
    threshold,
    precision: alertCount === 0 ? 0 : (alertCount - falseCount) / alertCount,
    recall: failureCount === 0 ? 0 : foreseenCount / failureCount,
    recallAtPrecisionHalf: recallAtPrecision(scores, labels, 0.5),
    brier: brierScore(probabilities ?? scores, labels),
    brierSkill: brierSkill(probabilities ?? scores, labels),
    ece: calibrationError(probabilities ?? scores, labels),
    calibrationSlope: probabilities === undefined ? slopeOf(scores, labels) : null,
    leadTimeMs: atThreshold.leadTimeMs,
    alertBudget: thresholdsFor(rows, budgets).map((lowest, i) => ({
      falseAlarmsPer1000NodeMonths: budgets[i],
      recall: recallAt(rows, lowest),
    })),
  }
}

function recallAt(rows: ScoredRows, threshold: number): number {
  const { failureCount, foreseenCount } = countAlerts(rows, threshold)
  return failureCount === 0 ? 0 : foreseenCount / failureCount
}

/** Log odds beyond this are as good as certain, and would outweigh every other row. */
const PROBABILITY_MIN = 1e-7

function slopeOf(probabilities: ScoredRows['scores'], labels: Uint8Array): number {
  const logOdds = Float64Array.from(probabilities, (probability) => {
    const p = Math.min(Math.max(probability, PROBABILITY_MIN), 1 - PROBABILITY_MIN)
    return Math.log(p / (1 - p))
  })
  return fitSigmoid(logOdds, labels).slope
}

/** The base rate (the same score for every row) and the manifest's rules. */
export function judgeBaselines(
  manifest: Manifest,
  facts: RowFacts,
  intervalMs: number,
): Readonly<Record<string, Quality>> {
  const rowsOf = (scores: Float32Array) => scoredRows(facts, scores, intervalMs, manifest.horizonMs)
  const judged: Record<string, Quality> = {
    'base-rate': judgeRule(manifest, rowsOf(new Float32Array(facts.labels.length))),
  }
  for (const [i, { name }] of manifest.baselines.entries()) {
    judged[name] = judgeRule(manifest, rowsOf(facts.rules[i]))
  }
  return judged
}

/** Judges a score that is no probability: the share of failures at each score stands for it. */
function judgeRule({ alerts }: Manifest, rows: ScoredRows): Quality {
  const threshold = thresholdFor(rows, alerts.acting)
  const seen = new Map<number, { rows: number; failures: number }>()
  for (let i = 0; i < rows.scores.length; i++) {
    const tally = seen.get(rows.scores[i]) ?? { rows: 0, failures: 0 }
    tally.rows++
    tally.failures += rows.labels[i]
    seen.set(rows.scores[i], tally)
  }
  const rateOf = (score: number): number => {
    const tally = seen.get(score)
    return tally === undefined ? 0 : tally.failures / tally.rows
  }
  return judge(rows, threshold, alerts.budgets, Float64Array.from(rows.scores, rateOf))
}
