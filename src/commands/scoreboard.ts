/**
 * The one way to show what was measured: rows of what, against what, the value, what it must reach
 * and whether it does. A row that falls short is shown like any other and makes the command exit 1.
 */
import type { ExitCode, Io } from './command.ts'
import { formatNumber, printJson, table } from './output.ts'

export interface ScoreRow {
  readonly what: string
  /** What it is compared with, e.g. a rival or a baseline; null for a plain figure. */
  readonly against: string | null
  readonly value: number | string | null
  /** What it has to reach, e.g. 0.18 or `≤ 500 ms`; null where nothing is asked. */
  readonly reach: number | string | null
  readonly ok: boolean
  /** Smallest and largest of what the value is the median of. */
  readonly spread?: readonly [number, number]
}

/** At least `reach`. A value that could not be measured falls short. */
export function atLeast(
  what: string,
  value: number | null,
  reach: number,
  against: string | null = null,
): ScoreRow {
  return { what, against, value, reach, ok: value !== null && value >= reach }
}

export function atMost(
  what: string,
  value: number | null,
  reach: number,
  against: string | null = null,
): ScoreRow {
  const ok = value !== null && value <= reach
  return { what, against, value, reach: `≤ ${formatNumber(reach)}`, ok }
}

/** A figure that is reported, not judged. */
export function figure(
  what: string,
  value: number | string | null,
  against: string | null = null,
): ScoreRow {
  return { what, against, value, reach: null, ok: true }
}

/** Prints every row, as a table or with `json` as exactly this list; 1 when one falls short. */
export function printScoreboard(io: Io, rows: readonly ScoreRow[], json: boolean): ExitCode {
  if (json) printJson(io, rows)
  else io.stdout(renderScoreboard(rows))
  return rows.every((row) => row.ok) ? 0 : 1
}

/** The column of spreads is there when a row has one. */
export function renderScoreboard(rows: readonly ScoreRow[]): string {
  const spreads = rows.some(({ spread }) => spread !== undefined)
  return table(
    [
      { title: 'what' },
      { title: 'against' },
      { title: 'value', align: 'right' },
      ...(spreads ? [{ title: 'spread', align: 'right' } as const] : []),
      { title: 'reach', align: 'right' },
      { title: 'ok' },
    ],
    rows.map((row) => [
      row.what,
      row.against ?? '',
      cell(row.value, 'not measured'),
      ...(spreads ? [row.spread?.map(formatNumber).join(' to ') ?? ''] : []),
      cell(row.reach, ''),
      row.ok ? 'yes' : 'NO',
    ]),
  )
}

function cell(value: number | string | null, absent: string): string {
  if (value === null) return absent
  return typeof value === 'number' ? formatNumber(value) : value
}
