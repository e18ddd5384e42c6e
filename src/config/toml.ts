/** TOML text checked against a schema. A mistake is told as `file: key: what is wrong`, with the mend. */
import { TomlError, parse } from 'smol-toml'
import { z } from 'zod'
import { ServiceError } from '../core/errors.ts'
import { parseDuration } from '../core/time.ts'

export type TomlTable = Readonly<Record<string, unknown>>

export function parseToml(text: string, file: string): TomlTable {
  try {
    return parse(text)
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause
    const what = cause.message.split('\n')[0].replace('Invalid TOML document: ', '')
    throw invalid(`${file}: line ${cause.line}, column ${cause.column}: ${what}`, cause)
  }
}

/**
 * The schema's output, or CONFIG_INVALID with one line per mistake. `sourceOf` names where the value
 * of a path (its keys, joined by dots) comes from.
 */
export function checked<Output>(
  schema: z.ZodType<Output>,
  value: unknown,
  sourceOf: string | ((path: string) => string),
): Output {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const lines = result.error.issues.flatMap((issue) => {
    const path = issue.path.map(String).join('.')
    return problems(schema, issue, typeof sourceOf === 'string' ? sourceOf : sourceOf(path))
  })
  throw invalid(lines.join('\n'))
}

/** A length of time as text, e.g. `90s`; in ms once parsed. */
export const duration = z
  .string({ error: 'expected a duration in quotes such as "90s"' })
  .transform((text, context): number => {
    const ms = parseDuration(text)
    if (ms !== undefined && ms > 0) return ms
    context.addIssue({
      code: 'custom',
      message: `"${text}" is no duration; write a number over 0 and ms, s, m, h, d or w, such as "90s"`,
    })
    return z.NEVER
  })

export function invalid(message: string, cause?: unknown): ServiceError {
  return new ServiceError('CONFIG_INVALID', message, { cause })
}

function problems(schema: z.ZodType, issue: z.core.$ZodIssue, file: string): readonly string[] {
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownKey(file, path, key, knownKeys(schemaAt(schema, path))))
  }
  if (issue.code === 'invalid_union') {
    const deeper = issue.errors.flat().find((inner) => inner.path.length > 0)
    if (deeper !== undefined) return [`${file}: \`${path.join('.')}\`: ${deeper.message}`]
  }
  return [`${file}: \`${path.join('.')}\`: ${issue.message}`]
}

export function unknownKey(
  file: string,
  path: readonly string[],
  key: string,
  known: readonly string[],
): string {
  const full = (name: string) => [...path, name].join('.')
  const near = nearest(key, known)
  const mend =
    near === undefined ? `known here: ${known.join(', ')}` : `did you mean \`${full(near)}\`?`
  return `${file}: unknown key \`${full(key)}\`; ${mend}`
}

/** The schema of a key, through defaults, optionals, lists and free-named tables. */
export function schemaAt(schema: z.core.$ZodType, path: readonly string[]): z.core.$ZodType {
  const inner = unwrap(schema)
  const [key, ...rest] = path
  if (key === undefined) return inner
  if (inner instanceof z.ZodObject) {
    const next: z.core.$ZodType | undefined = inner.shape[key]
    return next === undefined ? inner : schemaAt(next, rest)
  }
  if (inner instanceof z.ZodRecord) return schemaAt(inner.valueType, rest)
  if (inner instanceof z.ZodArray) return schemaAt(inner.element, rest)
  return inner
}

export function knownKeys(schema: z.core.$ZodType): readonly string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional) return unwrap(schema.unwrap())
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return unwrap(schema.unwrap())
  }
  if (schema instanceof z.ZodPipe) return unwrap(schema.in)
  return schema
}

/** The known word with the fewest edits, where that is at most a third of its letters (or one). */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((name) => ({ name, edits: editDistance(word, name) }))
    .filter(({ name, edits }) => edits <= Math.max(1, Math.floor(name.length / 3)))
    .sort((a, b) => a.edits - b.edits)
  return ranked[0]?.name
}

/** Levenshtein: insertions, deletions and substitutions, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, change))
    }
    row = next
  }
  return row[b.length]
}
