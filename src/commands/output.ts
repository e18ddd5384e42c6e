/** Tables for people. With --json a command prints its data instead. */
import { rename, writeFile } from 'node:fs/promises'
import { ServiceError } from '../core/errors.ts'
import type { Io } from './command.ts'

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

/** A column of numbers. */
export function right(title: string): Column {
  return { title, align: 'right' }
}

/** Lines of a plain table: columns as wide as their widest cell, two spaces between them. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((column, i) =>
    Math.max(column.title.length, ...rows.map((row) => (row[i] ?? '').length)),
  )
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align }, i) => {
        const cell = cells[i] ?? ''
        return align === 'right' ? cell.padStart(widths[i]) : cell.padEnd(widths[i])
      })
      .join('  ')
      .trimEnd()
  const rule = widths.map((width) => '-'.repeat(width))
  const head = columns.map(({ title }) => title)
  return `${[head, rule, ...rows].map(line).join('\n')}\n`
}

export function printJson(io: Io, value: unknown): void {
  io.stdout(`${JSON.stringify(value, null, 2)}\n`)
}

/** At most four significant digits: 0.0123, 12.35, 1235000 → 1,235,000. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  if (Number.isInteger(value)) return value.toLocaleString('en-US')
  const digits = Math.abs(value) >= 1_000 ? value.toFixed(0) : value.toPrecision(4)
  return Number(digits).toLocaleString('en-US', { maximumSignificantDigits: 15 })
}

/** The file is there whole, or as it was. ServiceError USAGE where it cannot be written. */
export async function writeWhole(file: string, text: string): Promise<void> {
  const draft = `${file}.draft`
  try {
    await writeFile(draft, text)
    await rename(draft, file)
  } catch (cause) {
    throw new ServiceError(
      'USAGE',
      `--out: ${file} cannot be written; name a file in a folder that is there`,
      { cause },
    )
  }
}
