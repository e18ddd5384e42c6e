/** When a model takes another one's place, and when its world has changed. */

/** How a challenger is compared with the champion. */
export interface PromotionRules {
  /** False: figures are told, and operators decide. */
  readonly automatic: boolean
  /** Failures that both models had to foresee before they are compared for the first time. */
  readonly failuresMin: number
  /** What the challenger must be ahead: of recall (0..1), or of the Brier score as a share of it. */
  readonly margin: number
  /** Both are compared at the thresholds that keep this many false alarms per 1,000 node-months. */
  readonly falseAlarmsPer1000NodeMonths: number
  /** A challenger that has not won by then is refused. */
  readonly trialMaxMs: number
}

/** When a distribution counts as another one than that of training. */
export interface DriftRules {
  /** Rows of this long are one look; it should cover the cycles of the fleet, so a day or more. */
  readonly windowMs: number
  /** Population stability index from which one distribution counts as drifted. */
  readonly stabilityMax: number
  /** Share of the features that must have drifted where the score itself has not. */
  readonly featureShareMax: number
}

export const DEFAULT_PROMOTION: PromotionRules = {
  automatic: true,
  failuresMin: 20,
  margin: 0.05,
  falseAlarmsPer1000NodeMonths: 5,
  trialMaxMs: 30 * 86_400_000,
}

export const DEFAULT_DRIFT: DriftRules = {
  windowMs: 86_400_000,
  stabilityMax: 0.25,
  featureShareMax: 0.1,
}
