/**
 * A history manifest: where labelled history lies, how to read it as telemetry and events, and how to
 * split it. It is TOML with SQL inside; `{data}` in the SQL is the directory given on the command line.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { parse } from 'smol-toml'
import { z } from 'zod'
import { CALIBRATION_KINDS } from '../src/core/calibration.ts'
import { ServiceError } from '../src/core/errors.ts'
import { parseDuration } from '../src/core/time.ts'
import type { CalibrationChoice } from './calibration.ts'

export type Slice = 'fit' | 'calibration' | 'validation' | 'test'

export interface Baseline {
  readonly name: string
  /** The score is how many of these metrics have a value over zero. */
  readonly countsOverZero: readonly string[]
}

/** A further model of the same rows, in the folder `parts` of the model's. */
export interface Part {
  readonly name: string
  /**
   * `failure`: fails within the horizon, of one kind or of any. `remaining`: the margin is the share
   * of the horizon that is used up, 1 less the remaining life; a longer life counts as the horizon.
   */
  readonly target: 'failure' | 'remaining'
  readonly horizonMs: number
  readonly failureKind: string | null
  /** Endings of the names of features, beside those of `training`. */
  readonly leaveOut: readonly string[]
}

export interface Horizon {
  /** As the manifest writes it, such as `24h`. */
  readonly name: string
  readonly horizonMs: number
}

export interface Manifest {
  readonly name: string
  readonly nodeClass: string
  readonly horizonMs: number
  /** Rising; the last is `horizonMs`, and each other one has a model of its own beside that of the last. */
  readonly horizons: readonly Horizon[]
  /** Names in the data directory; `*` stands for any part of a name. */
  readonly files: readonly string[]
  /** Where each slice ends, of the node hashes 0..99. */
  readonly split: {
    readonly fit: number
    readonly calibration: number
    readonly validation: number
  }
  /** Rows whose horizon ends later are for testing only; null: the split is by node alone. */
  readonly trainUntilMs: number | null
  readonly training: {
    /** Share of the negative rows that is learned from; each then weighs its inverse. */
    readonly negatives: number
    /** Likewise of those of them on which every baseline rule is 0. */
    readonly quietNegatives: number
    /**
     * Of a row that came to nothing while work was moved off its node (events `moved`, `returned`): what it
     * weighs where it is learned from; 0: nothing. Nothing is judged by it, and folds never learn from it.
     */
    readonly movedWeight: number
    readonly trees: number
    readonly leaves: number
    readonly learningRate: number
    /** Share of the features that one tree may use. */
    readonly featureRatio: number
    /** Fewest rows in a leaf. */
    readonly rowsMin: number
    /** Stop when this many trees brought nothing on the validation slice; 0: grow them all. */
    readonly patience: number
    /** Splits from the root to a leaf; 0: as many as it takes. */
    readonly depthMax: number
    readonly l1: number
    readonly l2: number
    /** By ending of a feature's name: how the risk may move with it. */
    readonly monotone: Readonly<Record<string, 'rises' | 'falls'>>
    /** Whether a split singles out a value of a category, or cuts the order of its values. */
    readonly categories: 'single' | 'ordered'
    /** Models of different seeds whose margins are averaged. */
    readonly members: number
    /**
     * Shares of the horizon, 0 to 1, that members take turns with: a member of 0.5 learns what fails within
     * half of it. Nearer failures show more clearly, and members that err differently have a better mean.
     */
    readonly memberHorizons: readonly number[]
    /** Endings of the names of features that do not earn their place, such as `max` or `signal.mean.*`. */
    readonly leaveOut: readonly string[]
    /** Share of the rows that one tree learns from. */
    readonly rowRatio: number
    /**
     * Of small data: every node that is not of the test slice is learned from and judged, by models
     * of so many folds, which together are the model. Null: by the slices of `split`.
     */
    readonly folds: number | null
    /** How margins become probabilities; `auto`: as nodes of the calibration slice like it best. */
    readonly calibration: CalibrationChoice
  }
  readonly parts: readonly Part[]
  /** False alarms per 1,000 node-months: at which recall is told, and at which the card says to act. */
  readonly alerts: { readonly budgets: readonly number[]; readonly acting: number }
  readonly sql: { readonly telemetry: string; readonly events: string }
  readonly baselines: readonly Baseline[]
}

/** ServiceError HISTORY_INVALID, naming file and key. */
export function readManifest(file: string): Manifest {
  return parseManifest(readText(file), file)
}

export function parseManifest(toml: string, file: string): Manifest {
  const checked = ManifestTable.safeParse(parseToml(toml, file))
  if (!checked.success) {
    const problems = checked.error.issues.map(
      (issue) => `\`${issue.path.join('.') || 'manifest'}\`: ${issue.message}`,
    )
    throw new ServiceError('HISTORY_INVALID', `${file}: ${problems.join('; ')}`)
  }
  const { split, training, baselines, parts, ...table } = checked.data
  if (!(split.fit < split.calibration && split.calibration < split.validation)) {
    throw new ServiceError(
      'HISTORY_INVALID',
      `${file}: \`split\`: fit, calibration and validation must rise; each is where its slice ends`,
    )
  }
  const horizons = table.horizons ?? []
  const isRising = horizons.every(
    ({ horizonMs }, i) => i === 0 || horizonMs > horizons[i - 1].horizonMs,
  )
  if (horizons.length > 0 && !(isRising && horizons.at(-1)!.horizonMs === table.horizon)) {
    throw new ServiceError(
      'HISTORY_INVALID',
      `${file}: \`horizons\`: they must rise, and the last must be \`horizon\``,
    )
  }
  if (horizons.length > 1 && training.folds !== null) {
    throw new ServiceError(
      'HISTORY_INVALID',
      `${file}: \`horizons\`: not with \`folds\`; write each other horizon as one of \`parts\``,
    )
  }
  if (training.folds !== null && training.member_horizons.some((ratio) => ratio !== 1)) {
    throw new ServiceError(
      'HISTORY_INVALID',
      `${file}: \`training.member_horizons\`: not with \`folds\`, whose members all learn the whole horizon`,
    )
  }
  if (training.folds !== null && training.negatives < 1) {
    throw new ServiceError(
      'HISTORY_INVALID',
      `${file}: \`training.negatives\`: must be 1 with \`folds\`, since every row is judged too`,
    )
  }
  return {
    name: table.name,
    nodeClass: table.node_class,
    horizonMs: table.horizon,
    horizons,
    files: table.files,
    split: { fit: split.fit, calibration: split.calibration, validation: split.validation },
    trainUntilMs: split.train_until ?? null,
    training: {
      negatives: training.negatives,
      quietNegatives: training.quiet_negatives ?? training.negatives,
      movedWeight: training.moved_weight,
      trees: training.trees,
      leaves: training.leaves,
      learningRate: training.learning_rate,
      featureRatio: training.feature_ratio,
      rowsMin: training.rows_min,
      patience: training.patience,
      depthMax: training.depth,
      l1: training.l1,
      l2: training.l2,
      monotone: training.monotone,
      categories: training.categories,
      members: training.members,
      memberHorizons: training.member_horizons,
      leaveOut: training.leave_out,
      rowRatio: training.row_ratio,
      folds: training.folds,
      calibration: training.calibration,
    },
    parts: Object.entries(parts).map(([name, part]) => ({
      name,
      target: part.target,
      horizonMs: part.horizon ?? table.horizon,
      failureKind: part.failure_kind,
      leaveOut: part.leave_out,
    })),
    alerts: table.alerts,
    sql: table.sql,
    baselines: Object.entries(baselines).map(([name, { counts_over_zero }]) => ({
      name,
      countsOverZero: counts_over_zero,
    })),
  }
}

const share = z.number().int().min(1).max(99)

const duration = z.string().transform((text, context) => {
  const ms = parseDuration(text)
  if (ms !== undefined && ms > 0) return ms
  context.addIssue(`"${text}" is no duration; write it like 1h or 30d`)
  return z.NEVER
})

/** Each is scored for every prediction that is told of at a grid time. */
const HORIZONS_MAX = 4

const Horizon = z.string().transform((text, context) => {
  const name = text.replaceAll(' ', '')
  const horizonMs = parseDuration(name)
  if (horizonMs !== undefined && horizonMs > 0) return { name, horizonMs }
  context.addIssue(`"${text}" is no duration; write it like 24h or 7d`)
  return z.NEVER
})

const moment = z.string().transform((text, context) => {
  const ms = Date.parse(text)
  if (!Number.isNaN(ms)) return ms
  context.addIssue(`"${text}" is no RFC 3339 time`)
  return z.NEVER
})

const Training = z.strictObject({
  negatives: z.number().positive().max(1).default(1),
  quiet_negatives: z.number().positive().max(1).optional(),
  moved_weight: z.number().min(0).max(1).default(0),
  trees: z.number().int().min(1).max(5_000).default(300),
  leaves: z.number().int().min(2).max(1_024).default(31),
  learning_rate: z.number().positive().max(1).default(0.05),
  feature_ratio: z.number().positive().max(1).default(0.7),
  rows_min: z.number().int().min(1).default(40),
  patience: z.number().int().min(0).default(100),
  depth: z.number().int().min(0).max(64).default(0),
  l1: z.number().min(0).default(0),
  l2: z.number().min(0).default(1),
  monotone: z.record(z.string().min(1), z.enum(['rises', 'falls'])).default({}),
  categories: z.enum(['single', 'ordered']).default('ordered'),
  members: z.number().int().min(1).max(32).default(1),
  member_horizons: z.array(z.number().positive().max(1)).min(1).max(32).default([1]),
  leave_out: z.array(z.string().min(1)).default([]),
  row_ratio: z.number().positive().max(1).default(1),
  folds: z.number().int().min(2).max(20).nullable().default(null),
  calibration: z.enum(['auto', ...CALIBRATION_KINDS]).default('auto'),
})

const kebab = z.string().regex(/^[a-z][a-z0-9-]*$/, 'expected a kebab-case name')

const PartTable = z.strictObject({
  target: z.enum(['failure', 'remaining']).default('failure'),
  horizon: duration.optional(),
  failure_kind: z.string().min(1).nullable().default(null),
  leave_out: z.array(z.string().min(1)).default([]),
})

const budget = z.number().positive()

const Alerts = z.strictObject({
  budgets: z.array(budget).min(1).default([1, 5, 10]),
  acting: budget.default(5),
})

const ManifestTable = z.strictObject({
  name: kebab,
  node_class: z.string().min(1),
  horizon: duration,
  horizons: z.array(Horizon).min(1).max(HORIZONS_MAX).optional(),
  files: z.array(z.string().min(1)).min(1),
  split: z.strictObject({
    fit: share,
    calibration: share,
    validation: share,
    train_until: moment.optional(),
  }),
  training: Training.default(Training.parse({})),
  alerts: Alerts.default(Alerts.parse({})),
  sql: z.strictObject({ telemetry: z.string().min(1), events: z.string().min(1) }),
  parts: z.record(kebab, PartTable).default({}),
  baselines: z
    .record(z.string(), z.strictObject({ counts_over_zero: z.array(z.string()).min(1) }))
    .default({}),
})

/** 0..99, from the first 32 bits of the id's SHA-256: stable over runs, machines and languages. */
export function nodeShare(hash: number): number {
  return hash % 100
}

/** First 32 bits of the SHA-256 of a node id. */
export function nodeHash(node: string): number {
  return createHash('sha256').update(node).digest().readUInt32BE(0)
}

/** 0..folds - 1, from bits of the hash that its share does not come from. */
export function foldOf(hash: number, folds: number): number {
  return Math.floor(hash / 100) % folds
}

export function sliceOf({ split }: Manifest, hash: number): Slice {
  const at = nodeShare(hash)
  if (at < split.fit) return 'fit'
  if (at < split.calibration) return 'calibration'
  return at < split.validation ? 'validation' : 'test'
}

/** Absolute paths of the manifest's files. ServiceError HISTORY_EMPTY for the first that is missing. */
export function dataFiles(manifest: Manifest, dataDir: string): readonly string[] {
  return manifest.files.flatMap((name) => {
    const paths = filesNamed(dataDir, name)
    if (paths.length > 0) return paths
    throw new ServiceError(
      'HISTORY_EMPTY',
      `${resolve(join(dataDir, name))}: no such file; history \`${manifest.name}\` needs it: point --data at the directory that holds ${manifest.files.join(', ')}`,
    )
  })
}

function filesNamed(dataDir: string, name: string): readonly string[] {
  if (!name.includes('*')) {
    const path = resolve(join(dataDir, name))
    return existsSync(path) ? [path] : []
  }
  const matches = patternOf(name)
  const names = existsSync(dataDir) ? readdirSync(dataDir) : []
  return names
    .filter((found) => matches.test(found))
    .sort()
    .map((found) => resolve(join(dataDir, found)))
}

/** `*` stands for any text, the rest for itself. */
export function patternOf(text: string): RegExp {
  const parts = text.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`)
}

/** SHA-256 over the names and contents of the files, so that a model card can name its data. */
export function dataDigest(manifest: Manifest, dataDir: string): string {
  const digest = createHash('sha256')
  for (const path of dataFiles(manifest, dataDir)) {
    digest.update(`${basename(path)}\n`).update(readFileSync(path))
  }
  return digest.digest('hex')
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new ServiceError(
      'HISTORY_INVALID',
      `${file}: cannot be read; name a history manifest such as training/histories/backblaze.toml`,
      { cause },
    )
  }
}

function parseToml(toml: string, file: string): unknown {
  try {
    return parse(toml)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
    throw new ServiceError('HISTORY_INVALID', `${file}: not TOML: ${why}`, { cause })
  }
}
