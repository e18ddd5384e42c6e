/**
 * Champion or challenger: both were scored on the same rows of the same nodes, so failures are counted
 * in pairs. Each model gets the threshold that keeps the same alert budget, since models mean different
 * things by the same probability.
 */
import {
  type ModelFigures,
  type OutcomeCounts,
  type PromotionRules,
  SCORE_BINS,
  scoreBin,
  scoreOfBin,
} from '../core/model-life.ts'
import { MONTH_MS } from '../core/time.ts'

/** Beyond it the oldest failures are forgotten. */
const FAILURES_MAX = 4_096
/** A trial is looked at after so many times `failuresMin`: each further look is a further chance to err. */
export const LOOKS = [1, 2, 4] as const

interface Pair {
  readonly champion: number
  readonly challenger: number | null
  readonly leadMs: number | null
}

/** Outcomes of all partitions, added up. */
export class OutcomeSum {
  readonly failures: Pair[] = []
  readonly quiet = {
    champion: new Float64Array(SCORE_BINS),
    challenger: new Float64Array(SCORE_BINS),
  }
  readonly squaredErrors = { champion: 0, challenger: 0 }
  exposureMs = 0
  rowCount = 0
  movedRowCount = 0
  /** All that were scored, also those forgotten. */
  failureCount = 0

  add(counts: OutcomeCounts): void {
    const { exposureMs, quiet, failures, rowCount, squaredErrors, movedRowCount = 0 } = counts
    this.exposureMs += exposureMs
    this.rowCount += rowCount
    this.movedRowCount += movedRowCount
    this.failureCount += failures.length
    for (const model of ['champion', 'challenger'] as const) {
      for (const [bin, count] of Object.entries(quiet[model]))
        this.quiet[model][Number(bin)] += count
      this.squaredErrors[model] += squaredErrors[model]
    }
    this.failures.push(...failures)
    if (this.failures.length > FAILURES_MAX)
      this.failures.splice(0, this.failures.length - FAILURES_MAX)
  }
}

type Side = 'champion' | 'challenger'

/** Null before anything is known. */
export function figuresOf(sum: OutcomeSum, side: Side, rules: PromotionRules): ModelFigures | null {
  if (sum.rowCount === 0) return null
  const bin = thresholdBin(sum, side, rules)
  const found = sum.failures.filter((failure) => isForeseen(failure[side], bin)).length
  return {
    threshold: bin === SCORE_BINS ? 1 : scoreOfBin(bin),
    recall: sum.failures.length === 0 ? null : found / sum.failures.length,
    falseAlarmsPer1000NodeMonths: falseAlarms(sum, side, bin),
    brier: sum.squaredErrors[side] / sum.rowCount,
  }
}

export interface Comparison {
  readonly winner: Side | 'neither'
  readonly champion: ModelFigures
  readonly challenger: ModelFigures
  /** A sentence with the figures. */
  readonly because: string
}

/**
 * A model is better when it foresees more failures, by the margin and by more than one standard
 * deviation of the pairs that differ (McNemar, 1947), and means what it says about as well; or when it
 * foresees as many and its Brier score is better by the margin.
 */
export function compare(sum: OutcomeSum, rules: PromotionRules): Comparison | null {
  const champion = figuresOf(sum, 'champion', rules)
  const challenger = figuresOf(sum, 'challenger', rules)
  if (champion === null || challenger === null || sum.failures.length === 0) return null
  const bins = {
    champion: thresholdBin(sum, 'champion', rules),
    challenger: thresholdBin(sum, 'challenger', rules),
  }
  let [onlyChampion, onlyChallenger] = [0, 0]
  for (const failure of sum.failures) {
    const byChampion = isForeseen(failure.champion, bins.champion)
    const byChallenger = isForeseen(failure.challenger, bins.challenger)
    if (byChampion && !byChallenger) onlyChampion++
    if (byChallenger && !byChampion) onlyChallenger++
  }
  const count = sum.failures.length
  const isBetter = (ahead: number, own: ModelFigures, other: ModelFigures): boolean => {
    const brierRatio = own.brier! / other.brier!
    const isClear = ahead * ahead >= onlyChampion + onlyChallenger
    if (ahead / count >= rules.margin && isClear) return brierRatio <= 1 + rules.margin
    return ahead >= 0 && brierRatio <= 1 - rules.margin
  }
  const ahead = onlyChallenger - onlyChampion
  const winner = isBetter(ahead, challenger, champion)
    ? 'challenger'
    : isBetter(-ahead, champion, challenger)
      ? 'champion'
      : 'neither'
  const because = `of ${count} failures it foresaw ${percent(challenger.recall)} against ${percent(champion.recall)} at ${rules.falseAlarmsPer1000NodeMonths} false alarms per 1,000 node-months, Brier ${challenger.brier!.toPrecision(3)} against ${champion.brier!.toPrecision(3)}`
  return { winner, champion, challenger, because }
}

/** The lowest bin at and above which false alarms stay within the budget; SCORE_BINS: none does. */
function thresholdBin(sum: OutcomeSum, side: Side, rules: PromotionRules): number {
  let bin = SCORE_BINS
  while (bin > 0 && falseAlarms(sum, side, bin - 1) <= rules.falseAlarmsPer1000NodeMonths) bin--
  return bin
}

function falseAlarms(sum: OutcomeSum, side: Side, fromBin: number): number {
  const alarms = sum.quiet[side].subarray(fromBin).reduce((total, count) => total + count, 0)
  return sum.exposureMs === 0 ? 0 : (alarms * 1_000 * MONTH_MS) / sum.exposureMs
}

function isForeseen(probability: number | null, bin: number): boolean {
  return probability !== null && scoreBin(probability) >= bin
}

function percent(ratio: number | null): string {
  return ratio === null ? 'none' : `${(100 * ratio).toFixed(0)} %`
}
