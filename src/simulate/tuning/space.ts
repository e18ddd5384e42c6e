/** Candidates: values of some knobs, drawn within their bounds, and how people read what they change. */
import { toPolicy } from '../../config/policy.ts'
import { isServiceError, ServiceError } from '../../core/errors.ts'
import type { Policy } from '../../core/policy.ts'
import type { ConfigChange } from '../../core/runtime-config.ts'
import { formatDuration } from '../../core/time.ts'
import { Random } from '../../fleet/random.ts'
import { type Knob, type PolicyTable, type Values, withValues } from './knobs.ts'

export interface Candidate {
  /** 0: nothing is changed. */
  readonly id: number
  readonly values: Values
}

/** Of a candidate's knobs that differ; fewer are likelier, because what changes little is easily read. */
const CHANGED: readonly [least: number, most: number] = [1, 10]
/** Values that contradict each other are drawn again so often. */
const TRIES_MAX = 100
/** Digits of a value that is no count; lengths of time are in whole seconds. */
const DIGITS = 2
const SECOND_MS = 1_000

/**
 * The unchanged one first. The same seed draws the same, and more of them begin with the fewer. ServiceError
 * USAGE where bounds leave no sound candidate.
 */
export function drawCandidates(
  table: PolicyTable,
  knobs: readonly Knob[],
  count: number,
  seed: number,
): readonly Candidate[] {
  const now = toPolicy(table, {})
  const free = knobs.filter((knob) => knob.now(now) !== null)
  if (free.length === 0) throw new ServiceError('USAGE', 'no key is left that could be tuned')
  const drawn = Array.from({ length: count }, (_, index) => {
    const random = new Random(seed, `tuning/candidate/${index + 1}`)
    return { id: index + 1, values: drawValues(table, free, now, random) }
  })
  return [{ id: 0, values: {} }, ...drawn]
}

function drawValues(
  table: PolicyTable,
  knobs: readonly Knob[],
  now: Policy,
  random: Random,
): Values {
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    const count = Math.min(
      knobs.length,
      Math.floor(random.logBetween([CHANGED[0], CHANGED[1] + 1])),
    )
    const left = [...knobs]
    const values: Record<string, number> = {}
    for (let i = 0; i < count; i++) {
      const [knob] = left.splice(random.index(left.length), 1)
      const value = drawValue(knob, random)
      if (value !== knob.now(now)) values[knob.key] = value
    }
    if (Object.keys(values).length > 0 && isSound(table, values)) return values
  }
  const keys = knobs.map(({ key }) => key).join(', ')
  throw new ServiceError(
    'USAGE',
    `the bounds of ${keys} leave nothing that is sound and differs from what is set; widen --bound`,
  )
}

function isSound(table: PolicyTable, values: Values): boolean {
  try {
    toPolicy(withValues(table, values), {})
    return true
  } catch (error) {
    if (isServiceError(error)) return false
    throw error
  }
}

function drawValue({ low, high, scale, unit }: Knob, random: Random): number {
  if (unit === 'count') return low + random.index(high - low + 1)
  const value = scale === 'linear' ? random.between([low, high]) : random.logBetween([low, high])
  return Math.min(high, Math.max(low, rounded(value, unit)))
}

function rounded(value: number, unit: Knob['unit']): number {
  return unit === 'duration'
    ? Math.round(value / SECOND_MS) * SECOND_MS
    : Number(value.toPrecision(DIGITS))
}

/** What would be another line of the file, in the order of the knobs. */
export function changesOf(
  values: Values,
  knobs: readonly Knob[],
  now: Policy,
): readonly ConfigChange[] {
  return knobs.flatMap((knob) => {
    const value = values[knob.key]
    if (value === undefined) return []
    const before = knob.now(now)
    const from = before === null ? null : valueText(before, knob.unit)
    return [{ key: knob.key, from, to: valueText(value, knob.unit) }]
  })
}

/** As TOML has it. */
export function valueText(value: number, unit: Knob['unit']): string {
  return unit === 'duration' ? JSON.stringify(formatDuration(value)) : String(value)
}

/** A file of the changed keys alone; each line of the remark is a comment at its head. */
export function overlayToml(changes: readonly ConfigChange[], remark: readonly string[]): string {
  const tables = new Map<string, string[]>()
  for (const { key, to } of changes) {
    const path = key.split('.')
    const name = path.pop()
    const lines = tables.get(path.join('.')) ?? []
    tables.set(path.join('.'), [...lines, `${name} = ${to}`])
  }
  const blocks = [...tables].map(([name, lines]) => [`[${name}]`, ...lines].join('\n'))
  return `${[remark.map((line) => `# ${line}`).join('\n'), ...blocks].join('\n\n')}\n`
}
