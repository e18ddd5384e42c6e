/**
 * A manifest of history without failures: each node's telemetry in two parts, one to learn what is
 * usual from and one with labels to judge on. It is TOML with SQL inside; `{data}` is the directory
 * given on the command line and `{node}` one of the nodes.
 */
import { readFileSync } from 'node:fs'
import { parse } from 'smol-toml'
import { z } from 'zod'
import { ServiceError } from '../../src/core/errors.ts'
import { parseDuration } from '../../src/core/time.ts'

export interface AnomalyManifest {
  readonly name: string
  readonly sampleIntervalMs: number
  /** Per node: what the alarm's threshold asks for. */
  readonly falseRunsPerDay: number
  readonly sql: { readonly nodes: string; readonly train: string; readonly test: string }
}

const AnomalyTable = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]*$/, 'expected a kebab-case name'),
  kind: z.literal('anomaly'),
  sample_interval: z.string(),
  alarm: z.strictObject({ false_runs_per_day: z.number().positive() }),
  sql: z.strictObject({
    nodes: z.string().min(1),
    train: z.string().min(1),
    test: z.string().min(1),
  }),
})

/** Whether a manifest says `kind = "anomaly"`; false for one that cannot be read at all. */
export function isAnomalyManifest(file: string): boolean {
  try {
    return parse(readFileSync(file, 'utf8')).kind === 'anomaly'
  } catch {
    // The reader of the other kind says what is wrong with it.
    return false
  }
}

/** ServiceError HISTORY_INVALID, naming file and key. */
export function readAnomalyManifest(file: string): AnomalyManifest {
  const checked = AnomalyTable.safeParse(parse(readFileSync(file, 'utf8')))
  if (!checked.success) {
    const problems = checked.error.issues.map(
      (issue) => `\`${issue.path.join('.') || 'manifest'}\`: ${issue.message}`,
    )
    throw new ServiceError('HISTORY_INVALID', `${file}: ${problems.join('; ')}`)
  }
  const { name, sample_interval, alarm, sql } = checked.data
  const sampleIntervalMs = parseDuration(sample_interval)
  if (sampleIntervalMs === undefined || sampleIntervalMs <= 0) {
    throw new ServiceError(
      'HISTORY_INVALID',
      `${file}: \`sample_interval\`: "${sample_interval}" is no duration; write it like 1m or 30s`,
    )
  }
  return { name, sampleIntervalMs, falseRunsPerDay: alarm.false_runs_per_day, sql }
}
