/** How good a model is, as a table for people. */
import type { Figures, Quality, TradeoffPoint } from '../core/model.ts'
import { DAY_MS, formatDuration, HOUR_MS } from '../core/time.ts'
import { formatNumber, right, table } from './output.ts'

/** One column per named set of scores, one line per figure; the first is the model. */
export function qualityTable(named: Readonly<Record<string, Quality>>): string {
  const columns = Object.entries(named)
  const budgets = columns[0]?.[1].alertBudget ?? []
  const lines: readonly (readonly [string, (quality: Quality) => string])[] = [
    ['rows', (q) => formatNumber(q.rowCount)],
    ['rows with a failure within the horizon', (q) => formatNumber(q.positiveCount)],
    ['nodes', (q) => formatNumber(q.nodeCount)],
    ['PR-AUC', (q) => formatNumber(q.prAuc)],
    ['ROC-AUC', (q) => formatNumber(q.rocAuc)],
    ['acting point', (q) => formatNumber(q.threshold)],
    ['precision at the acting point', (q) => formatNumber(q.precision)],
    ['recall at the acting point', (q) => formatNumber(q.recall)],
    ['recall at precision 0.5, by row', (q) => formatNumber(q.recallAtPrecisionHalf)],
    ['Brier score', (q) => formatNumber(q.brier)],
    ['Brier skill', (q) => formatNumber(q.brierSkill)],
    ['expected calibration error', (q) => formatNumber(q.ece)],
    [
      'calibration slope',
      (q) => (q.calibrationSlope === null ? 'none' : formatNumber(q.calibrationSlope)),
    ],
    ['median lead time', (q) => (q.leadTimeMs === null ? 'none' : leadTime(q.leadTimeMs))],
    ...budgets.map(({ falseAlarmsPer1000NodeMonths: budget }) => {
      const name = `recall at ${budget} false alarms per 1,000 node-months`
      return [name, (q: Quality) => recallAt(q, budget)] as const
    }),
  ]
  return table(
    [{ title: 'figure' }, ...columns.map(([title]) => ({ title, align: 'right' as const }))],
    lines.map(([name, value]) => [name, ...columns.map(([, quality]) => value(quality))]),
  )
}

/** One column per horizon, the same figures. */
export function horizonsTable(
  horizons: readonly { readonly horizonMs: number; readonly quality: Quality }[],
): string {
  return qualityTable(
    Object.fromEntries(
      horizons.map(({ horizonMs, quality }) => [`within ${formatDuration(horizonMs)}`, quality]),
    ),
  )
}

/** The trade-off, strictest point first; `>` marks the one to act at. */
export function tradeoffTable(
  points: readonly TradeoffPoint[],
  acting: TradeoffPoint | null,
): string {
  const rows = points.filter(({ probability }) => probability !== acting?.probability)
  if (acting !== null) rows.push(acting)
  rows.sort((a, b) => b.probability - a.probability)
  return table(
    [
      { title: '' },
      right('act at'),
      right('alerts'),
      right('false'),
      right('missed failures'),
      right('precision'),
      right('recall'),
    ],
    rows.map((point) => [
      point === acting ? '>' : '',
      formatNumber(point.probability),
      formatNumber(point.alertsPer1000NodeMonths),
      formatNumber(point.falseAlarmsPer1000NodeMonths),
      formatNumber(point.missedPer1000NodeMonths),
      formatNumber(point.precision),
      formatNumber(point.recall),
    ]),
  )
}

function recallAt({ alertBudget }: Quality, budget: number): string {
  const point = alertBudget.find((p) => p.falseAlarmsPer1000NodeMonths === budget)
  return point === undefined ? 'not measured' : formatNumber(point.recall)
}

function leadTime(ms: number): string {
  if (ms >= 2 * DAY_MS) return `${formatNumber(ms / DAY_MS)} days`
  if (ms >= 2 * HOUR_MS) return `${formatNumber(ms / HOUR_MS)} hours`
  return `${formatNumber(ms / 60_000)} minutes`
}

/** What a model and its parts are worth beyond its own ranking; one line per figure. */
export function figuresTable(figures: Figures): string {
  const { failureCount, caughtAtP8, falseEpisodesAtP8, macroPrAuc, parts, pools } = figures
  const remaining = (of: Pick<Figures, 'rulRmse' | 'rulNodeCount'>): readonly string[][] =>
    of.rulRmse === null
      ? []
      : [[`error of the remaining life of ${of.rulNodeCount} nodes`, formatNumber(of.rulRmse)]]
  const lines = [
    ['failures caught at a probability of 0.8', `${caughtAtP8} of ${failureCount}`],
    ['false episodes at a probability of 0.8', formatNumber(falseEpisodesAtP8)],
    ...(macroPrAuc === null ? [] : [['PR-AUC by kind of failure', formatNumber(macroPrAuc)]]),
    ...Object.entries(parts).map(([name, { prAuc }]) => [`PR-AUC, ${name}`, formatNumber(prAuc)]),
    ...remaining(figures),
    ...Object.entries(pools).flatMap(([pool, of]) => [
      [`PR-AUC of pool ${pool}`, formatNumber(of.prAuc)],
      ...remaining(of).map(([title, value]) => [`${title}, pool ${pool}`, value]),
    ]),
  ]
  return table([{ title: 'beyond' }, { title: '', align: 'right' }], lines)
}
