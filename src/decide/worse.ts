/**
 * Whether a pool does clearly worse than before: rates per node and day of what a bad setting causes.
 *
 * Worse is a rate whose lower limit is over `worseRatio` times the upper limit of the rate before, both of 95 %
 * on their side (`core/count-interval.ts`), so chance alone takes nothing back. Where nothing was seen
 * before, nothing is known to be worse.
 */
import { countInterval } from '../core/count-interval.ts'
import type { WatchRules } from '../core/runtime-config.ts'
import { DAY_MS } from '../core/time.ts'

export const MEASURES = ['refusals', 'failedCommands', 'falseMigrations'] as const
export type Measure = (typeof MEASURES)[number]

/** What came in some time, over all nodes. */
export interface Seen {
  readonly counts: Readonly<Record<Measure, number>>
  readonly nodeMs: number
}

export const NOTHING: Seen = {
  counts: { refusals: 0, failedCommands: 0, falseMigrations: 0 },
  nodeMs: 0,
}

/** The time before must have at least a quarter of the exposure of the time after. */
const BEFORE_RATIO_MIN = 0.25

export function sumOf(all: readonly Seen[]): Seen {
  const counts = { ...NOTHING.counts }
  let nodeMs = 0
  for (const seen of all) {
    for (const measure of MEASURES) counts[measure] += seen.counts[measure]
    nodeMs += seen.nodeMs
  }
  return { counts, nodeMs }
}

/** The measure that is worse, with its rates per node and day; null where none is. */
export function worseMeasure(
  before: Seen,
  after: Seen,
  { worseRatio, worseMin }: WatchRules,
): { readonly measure: Measure; readonly before: number; readonly after: number } | null {
  if (after.nodeMs <= 0 || before.nodeMs < BEFORE_RATIO_MIN * after.nodeMs) return null
  const perDay = (events: number, { nodeMs }: Seen) => (events * DAY_MS) / nodeMs
  for (const measure of MEASURES) {
    const [was, is] = [before.counts[measure], after.counts[measure]]
    if (is < worseMin) continue
    const least = perDay(countInterval(is).low, after)
    const most = perDay(countInterval(was).high, before)
    if (least > worseRatio * most) {
      return { measure, before: perDay(was, before), after: perDay(is, after) }
    }
  }
  return null
}
