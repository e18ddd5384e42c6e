/** Node classes: one TOML file each. The order of metrics and values is part of every model: only append. */
import { readFileSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { ServiceError } from '../core/errors.ts'
import { ATTRIBUTES_MAX, METRICS_MAX } from '../core/node.ts'
import type { Attribute, Metric, NodeClass } from '../core/node.ts'
import { checked, duration, invalid, nearest, parseToml } from './toml.ts'

/** Every class of a directory by name; the file of class `drive` is `drive.toml`. */
export function loadNodeClasses(directory: string): ReadonlyMap<string, NodeClass> {
  const classes = new Map<string, NodeClass>()
  for (const file of classFiles(directory)) {
    const path = join(directory, file)
    const nodeClass = parseNodeClass(readFileSync(path, 'utf8'), path)
    if (nodeClass.name !== basename(file, '.toml')) {
      throw invalid(`${path}: \`name\`: is "${nodeClass.name}"; it must be that of the file`)
    }
    classes.set(nodeClass.name, nodeClass)
  }
  if (classes.size === 0) throw invalid(`${directory}: no node class (*.toml) in this directory`)
  return classes
}

/** One class of a directory. NODE_CLASS_UNKNOWN lists those there are. */
export function loadNodeClass(directory: string, name: string): NodeClass {
  return nodeClassNamed(loadNodeClasses(directory), name)
}

export function nodeClassNamed(classes: ReadonlyMap<string, NodeClass>, name: string): NodeClass {
  const nodeClass = classes.get(name)
  if (nodeClass !== undefined) return nodeClass
  const known = [...classes.keys()].sort()
  const near = nearest(name, known)
  const hint = near === undefined ? '' : `; did you mean "${near}"?`
  throw new ServiceError(
    'NODE_CLASS_UNKNOWN',
    `unknown node class "${name}"${hint} (known: ${known.join(', ')})`,
  )
}

export function parseNodeClass(toml: string, file: string): NodeClass {
  const table = checked(ClassTable, parseToml(toml, file), file)
  const metrics = table.metrics.map(toMetric)
  const attributes: readonly Attribute[] = table.attributes
  const [short, middle, long] = table.half_lives
  requireUnique(metrics, 'metrics', file)
  requireUnique(attributes, 'attributes', file)
  for (const metric of metrics) requireSound(metric, file)
  for (const { name, kind, values, error } of attributes) {
    if (error !== null && kind !== 'since') {
      throw invalid(`${file}: attribute "${name}": \`error\` belongs to kind "since"`)
    }
    if ((kind === 'category') !== values.length > 0) {
      throw invalid(
        `${file}: attribute "${name}": \`values\` belong to kind "category", and only there`,
      )
    }
  }
  if (!(short < middle && middle < long)) {
    throw invalid(`${file}: \`half_lives\`: must rise, such as ["1m", "10m", "1h"]`)
  }
  return {
    name: table.name,
    metrics,
    attributes,
    halfLivesMs: [short, middle, long],
    heartbeatIntervalMs: table.heartbeat_interval === 'off' ? null : table.heartbeat_interval,
    detectionWindowMs: table.detection_window,
    predictionIntervalMs: table.prediction_interval,
    gridOrigin: table.grid_origin,
  }
}

/** Names that are safe as an Arrow column, a header, a Prometheus label and a part of a path. */
const name = z
  .string()
  .regex(
    /^[a-z][a-z0-9_-]{0,63}$/,
    'expected 1 to 64 of a-z, 0-9, _ and -, beginning with a letter',
  )

const ClassTable = z.strictObject({
  name,
  half_lives: z.tuple([duration, duration, duration], 'expected three durations'),
  heartbeat_interval: z.union([z.literal('off'), duration]),
  detection_window: duration,
  prediction_interval: duration,
  grid_origin: z.enum(['epoch', 'first-sample']),
  metrics: z
    .array(
      z.strictObject({
        name,
        unit: z.string(),
        kind: z.enum(['gauge', 'counter', 'code', 'signal']),
        min: z.number().optional(),
        max: z.number().optional(),
        health: z
          .strictObject({
            part: z.enum(['network', 'uptime', 'resources', 'trust']),
            good: z.number(),
            bad: z.number(),
          })
          .optional(),
        peers: z.boolean().default(false),
      }),
    )
    .min(1)
    .max(METRICS_MAX),
  attributes: z
    .array(
      z.strictObject({
        name,
        label: z.string().min(1),
        kind: z.enum(['number', 'category', 'since']),
        values: z.array(z.string()).readonly().default([]),
        error: z.string().min(1).nullable().default(null),
      }),
    )
    .max(ATTRIBUTES_MAX)
    .default([]),
})

type MetricTable = z.output<typeof ClassTable>['metrics'][number]

function toMetric({ min, max, health, ...metric }: MetricTable): Metric {
  return { ...metric, min: min ?? null, max: max ?? null, health: health ?? null }
}

function requireSound({ name: metric, min, max, peers, health }: Metric, file: string): void {
  const at = `${file}: metric "${metric}"`
  if (RESERVED.has(metric)) throw invalid(`${at}: the name is that of a column of every sample`)
  if (min !== null && max !== null && min >= max)
    throw invalid(`${at}: \`min\` must be below \`max\``)
  if (peers && (min === null || max === null)) {
    throw invalid(`${at}: \`peers\` needs \`min\` and \`max\`, between which values are binned`)
  }
  if (health !== null && health.good === health.bad) {
    throw invalid(`${at}: \`health.good\` and \`health.bad\` must differ`)
  }
}

const RESERVED: ReadonlySet<string> = new Set(['node', 'at', 'appended_at', 'class'])

function requireUnique(
  items: readonly { readonly name: string }[],
  key: string,
  file: string,
): void {
  const seen = new Set<string>()
  for (const item of items) {
    if (seen.has(item.name)) throw invalid(`${file}: \`${key}\`: "${item.name}" appears twice`)
    seen.add(item.name)
  }
}

function classFiles(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
      .filter((file) => file.endsWith('.toml'))
      .sort()
  } catch (cause) {
    throw invalid(`${directory}: cannot read the directory of node classes`, cause)
  }
}
