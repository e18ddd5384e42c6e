/** What counts say of the shares and rates behind them: nine intervals of ten hold the true value. */

/** Standard deviations on either side that hold 90 % of a normal distribution. */
const DEVIATIONS = 1.645

export interface Interval {
  readonly low: number
  readonly high: number
}

/**
 * Of the share behind `count` of `total`, 0..1; everything where nothing was counted.
 * Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927.
 */
export function shareInterval(count: number, total: number): Interval {
  if (total === 0) return { low: 0, high: 1 }
  const share = count / total
  const square = DEVIATIONS * DEVIATIONS
  const middle = share + square / (2 * total)
  const away = DEVIATIONS * Math.sqrt((share * (1 - share) + square / (4 * total)) / total)
  const scale = 1 + square / total
  return { low: Math.max(0, (middle - away) / scale), high: Math.min(1, (middle + away) / scale) }
}

/**
 * Of the expectation behind a count of rare events, by Byar's approximation of the exact Poisson limits.
 * Source: N. E. Breslow and N. E. Day, Statistical methods in cancer research II, 1987, section 2.3.
 */
export function countInterval(count: number): Interval {
  const limit = (events: number, deviations: number) =>
    events * (1 - 1 / (9 * events) + deviations / (3 * Math.sqrt(events))) ** 3
  return { low: count === 0 ? 0 : limit(count, -DEVIATIONS), high: limit(count + 1, DEVIATIONS) }
}
