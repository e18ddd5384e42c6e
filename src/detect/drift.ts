/**
 * Drift: is what a model sees still distributed as what it was trained on?
 *
 * The population stability index of shares a (now) and e (in training) is Σ (a − e)·ln(a/e), the
 * symmetrised Kullback-Leibler divergence; practice calls 0.1 worth a look and 0.25 another population
 * (N. Siddiqi, Credit Risk Scorecards, 2006, ch. 10). Chance alone makes it about (B − 1)(1/n + 1/m)
 * over B bins (B. Yurdakul, Statistical Properties of Population Stability Index, 2018), which is taken
 * off. n and m are nodes and not rows: rows of one node are alike, and a small fleet would seem to drift.
 */
import type { BinnedRows, DriftCounts, DriftFinding, DriftRules } from '../core/model-life.ts'

/** Shares below it are raised to it: an empty bin would make the index infinite. */
const SHARE_MIN = 1e-4
/** Fewer rows say nothing. */
const ROWS_MIN = 200
const FEATURES_SHOWN = 10

export interface Drift {
  readonly drifted: boolean
  readonly score: number
  readonly features: readonly DriftFinding[]
  /** Share of the features that have drifted. */
  readonly featureShare: number
}

/** Of one window, over all partitions; null where too little was seen. */
export function detectDrift(seen: readonly DriftCounts[], rules: DriftRules): Drift | null {
  const [first, ...others] = seen.filter(({ nodeCount }) => nodeCount > 0)
  if (first === undefined) return null
  const score = others.reduce((sum, { score: more }) => added(sum, more), first.score)
  if (score.counts.reduce((sum, count) => sum + count, 0) < ROWS_MIN) return null
  const nodeCount = [first, ...others].reduce((sum, counts) => sum + counts.nodeCount, 0)
  const noise = 1 / nodeCount + 1 / first.referenceNodeCount
  const features = first.features
    .map((rows, i) => others.reduce((sum, more) => added(sum, more.features[i]), rows))
    .map((rows) => ({ name: rows.name, stability: stabilityIndex(rows, noise) }))
    .sort((a, b) => b.stability - a.stability)
  const driftedCount = features.filter(({ stability }) => stability >= rules.stabilityMax).length
  const featureShare = features.length === 0 ? 0 : driftedCount / features.length
  const scoreIndex = stabilityIndex(score, noise)
  return {
    drifted: scoreIndex >= rules.stabilityMax || featureShare > rules.featureShareMax,
    score: scoreIndex,
    features: features.slice(0, FEATURES_SHOWN),
    featureShare,
  }
}

/** Never below 0. `noise`: 1/n + 1/m. */
export function stabilityIndex({ counts, expected }: BinnedRows, noise: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return 0
  let index = 0
  let used = 0
  for (const [bin, share] of expected.entries()) {
    if (share === 0 && counts[bin] === 0) continue
    used++
    const [is, was] = [Math.max(counts[bin] / total, SHARE_MIN), Math.max(share, SHARE_MIN)]
    index += (is - was) * Math.log(is / was)
  }
  return Math.max(0, index - Math.max(0, used - 1) * noise)
}

function added(a: BinnedRows, b: BinnedRows): BinnedRows {
  return { ...a, counts: a.counts.map((count, bin) => count + b.counts[bin]) }
}
