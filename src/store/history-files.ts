/**
 * The files of a recorded history: Parquet by kind, class and day. All that one flush writes has one
 * sequence number, and counts once `positions.json` says so: files beyond it are what is left of a
 * flush that a crash ended, and are removed before recording goes on from where it says.
 */
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ServiceError } from '../core/errors.ts'
import type { HistoryKind } from './history-tables.ts'

const POSITIONS_FILE = 'positions.json'

export interface Positions {
  /** Of the next flush. */
  readonly sequence: number
  /** Topic → per partition the next offset to record. */
  readonly topics: Readonly<Record<string, readonly number[]>>
}

export interface DayFiles {
  readonly kind: HistoryKind
  readonly nodeClass: string | null
  /** YYYY-MM-DD. */
  readonly day: string
  /** Relative to the history's directory. */
  readonly directory: string
  readonly files: readonly string[]
}

export function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10)
}

export function dayDirectory(kind: HistoryKind, nodeClass: string | null, day: string): string {
  return nodeClass === null
    ? join(kind, `day=${day}`)
    : join(kind, `class=${nodeClass}`, `day=${day}`)
}

/** As the last flush left them. ServiceError HISTORY_INVALID for a file that is none of ours. */
export async function readPositions(directory: string): Promise<Positions> {
  const file = join(directory, POSITIONS_FILE)
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch {
    return { sequence: 0, topics: {} }
  }
  try {
    const positions = JSON.parse(text) as Positions
    if (Number.isInteger(positions.sequence) && typeof positions.topics === 'object') {
      return positions
    }
  } catch {
    // Said below.
  }
  throw new ServiceError(
    'HISTORY_INVALID',
    `${file}: not the positions of a recording; name another directory`,
  )
}

/** From here on the files of the flush before count. */
export async function writePositions(directory: string, positions: Positions): Promise<void> {
  const file = join(directory, POSITIONS_FILE)
  await mkdir(directory, { recursive: true })
  await writeFile(`${file}.draft`, JSON.stringify(positions))
  await settle(file)
}

/** The draft takes its place once it is on the disk: also after a loss of power a file is whole. */
export async function settle(file: string): Promise<void> {
  const draft = await open(`${file}.draft`)
  await draft.sync()
  await draft.close()
  await rename(`${file}.draft`, file)
}

/** In order of their paths. */
export async function listDays(directory: string): Promise<readonly DayFiles[]> {
  const days: DayFiles[] = []
  for (const kind of ['telemetry', 'events', 'predictions'] as const) {
    const classes = kind === 'events' ? [null] : await namesIn(join(directory, kind), 'class=')
    for (const nodeClass of classes) {
      const above = nodeClass === null ? kind : join(kind, `class=${nodeClass}`)
      for (const day of await namesIn(join(directory, above), 'day=')) {
        const at = join(above, `day=${day}`)
        const files = (await filesIn(join(directory, at))).filter((file) =>
          file.endsWith('.parquet'),
        )
        days.push({
          kind,
          nodeClass,
          day,
          directory: at,
          files: files.map((file) => join(at, file)),
        })
      }
    }
  }
  return days
}

/** Drafts, and files of flushes that never counted. */
export async function removeUnfinished(directory: string, { sequence }: Positions): Promise<void> {
  for (const { directory: day } of await listDays(directory)) {
    for (const file of await filesIn(join(directory, day))) {
      if (file.endsWith('.parquet') && Number.parseInt(file, 10) < sequence) continue
      await rm(join(directory, day, file))
    }
  }
}

/** Days that are over for longer than this, at the newest day recorded. */
export async function removeOld(directory: string, retentionMs: number): Promise<void> {
  const days = await listDays(directory)
  const newestMs = Math.max(...days.map(({ day }) => Date.parse(day)))
  for (const { day, directory: old } of days) {
    if (Date.parse(day) + retentionMs >= newestMs) continue
    await rm(join(directory, old), { recursive: true })
  }
}

async function namesIn(directory: string, prefix: string): Promise<readonly string[]> {
  const names = await filesIn(directory)
  return names.flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []))
}

async function filesIn(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).sort()
  } catch {
    return []
  }
}
