/**
 * A recording as a history: the Parquet files that `foreshock record` writes, read under a manifest that
 * says what to predict and how to split. So a model is trained on what was really seen.
 */
import { ServiceError } from '../src/core/errors.ts'
import type { NodeClass } from '../src/core/node.ts'
import type { Manifest } from './manifest.ts'

/** Files of a recording, by day; paths are relative to its directory. */
export interface RecordedDay {
  readonly kind: 'telemetry' | 'events' | 'predictions'
  readonly nodeClass: string | null
  readonly day: string
  readonly files: readonly string[]
}

/** Times of samples and events, ms; `toMs` is left out. */
export interface RecordedRange {
  readonly fromMs: number | null
  readonly toMs: number | null
}

/** What a recording is trained with beside its manifest. */
export interface RecordedRules extends RecordedRange {
  /** As `promotion.moved_labels` says: of rows of nodes whose work was moved in time. */
  readonly movedWeight: number
}

/**
 * `base` gives name, horizon, split, training and alerts; its own data is not read, and neither is
 * `train_until`, which is a moment of that data. Events before the range are kept: lives begin there.
 * ServiceError HISTORY_EMPTY where the recording has no telemetry of the class in the range.
 */
export function recordedManifest(
  base: Manifest,
  nodeClass: NodeClass,
  days: readonly RecordedDay[],
  { fromMs, toMs, movedWeight }: RecordedRules,
): Manifest {
  const [fromDay, toDay] = [fromMs, toMs].map((ms) =>
    ms === null ? null : new Date(ms).toISOString().slice(0, 10),
  )
  const inRange = ({ day }: RecordedDay): boolean =>
    (fromDay === null || day >= fromDay) && (toDay === null || day <= toDay)
  const telemetry = days.filter(
    (day) => day.kind === 'telemetry' && day.nodeClass === nodeClass.name && inRange(day),
  )
  const events = days.filter(
    ({ kind, day }) => kind === 'events' && (toDay === null || day <= toDay),
  )
  const files = { telemetry: namesOf(telemetry), events: namesOf(events) }
  if (files.telemetry.length === 0 || files.events.length === 0) {
    throw new ServiceError(
      'HISTORY_EMPTY',
      `the recording has no telemetry and events of class \`${nodeClass.name}\` in that time: record for longer (foreshock record), or widen --from and --to`,
    )
  }
  const metrics = nodeClass.metrics.map(({ name }) => `"${name}"`)
  const labels = [...new Set(['model', ...nodeClass.attributes.map(({ label }) => label)])]
  const samples = `SELECT node, "at", ${metrics.join(', ')} FROM ${read(files.telemetry)}`
  const lives = `SELECT node, "at", kind, pool, failure_kind, ${labels.map((label) => `labels[${text(label)}] AS "${label}"`).join(', ')} FROM ${read(files.events)}`
  return {
    ...base,
    name: `${base.name}-recorded`,
    trainUntilMs: null,
    training: { ...base.training, movedWeight },
    files: [...files.telemetry, ...files.events],
    sql: {
      telemetry: `${samples} WHERE ${range(fromMs, toMs)}`,
      events: `${lives} WHERE kind IN ('join', 'leave', 'failure', 'moved', 'returned') AND (kind <> 'join' OR class = ${text(nodeClass.name)}) AND ${range(null, toMs)}`,
    },
  }
}

function namesOf(days: readonly RecordedDay[]): readonly string[] {
  return days.flatMap(({ files }) => files)
}

function read(files: readonly string[]): string {
  const list = files.map((file) => `'{data}/${file.replaceAll("'", "''")}'`)
  return `read_parquet([${list.join(', ')}], union_by_name = true)`
}

function range(fromMs: number | null, toMs: number | null): string {
  const bounds = [
    ...(fromMs === null ? [] : [`"at" >= ${fromMs}`]),
    ...(toMs === null ? [] : [`"at" < ${toMs}`]),
  ]
  return bounds.length === 0 ? 'true' : bounds.join(' AND ')
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`
}
