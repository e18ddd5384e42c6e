/** Lengths of time as text (`90s`, `1h`, `30d`) and as milliseconds. */

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

export const HOUR_MS = 3_600_000
export const DAY_MS = 86_400_000
/** The month of every alert budget: a twelfth of 365.25 days. */
export const MONTH_MS = 30.4375 * DAY_MS

/** `undefined` when the text is not a number followed by ms, s, m, h, d or w. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)$/.exec(text.trim())
  if (match === null) return undefined
  return Number(match[1]) * UNIT_MS[match[2]]
}

/** The shortest exact text: 90000 → `90s`, 3600000 → `1h`. */
export function formatDuration(ms: number): string {
  for (const unit of ['w', 'd', 'h', 'm', 's']) {
    const size = UNIT_MS[unit]
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`
  }
  return `${ms}ms`
}
