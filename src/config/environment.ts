/** `FORESHOCK_KAFKA_BROKERS=a:1,b:2` stands for `kafka.brokers`, and wins over the file. */
import { z } from 'zod'
import { invalid, knownKeys, schemaAt, unknownKey } from './toml.ts'
import type { TomlTable } from './toml.ts'

const PREFIX = 'FORESHOCK_'

export interface Overridden {
  readonly table: TomlTable
  /** Path (keys joined by dots) → the variable that it comes from. */
  readonly variables: ReadonlyMap<string, string>
}

/**
 * Variables of a section that the schema lacks (`FORESHOCK_DATA`) are somebody else's; an unknown key
 * in a known section is a mistake. Empty values count as unset.
 */
export function withEnvironment(
  table: TomlTable,
  env: Readonly<Record<string, string | undefined>>,
  schema: z.ZodType,
): Overridden {
  let merged = table
  const variables = new Map<string, string>()
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX) || text === undefined || text === '') continue
    const path = pathOf(variable, schema)
    if (path === undefined) continue
    merged = withValue(merged, path, valueOf(text, schemaAt(schema, path)))
    variables.set(path.join('.'), variable)
  }
  return { table: merged, variables }
}

function pathOf(variable: string, schema: z.ZodType): readonly string[] | undefined {
  const rest = variable.slice(PREFIX.length).toLowerCase()
  const section = knownKeys(schemaAt(schema, [])).find((name) => rest.startsWith(`${name}_`))
  if (section === undefined) return undefined
  const tail = rest.slice(section.length + 1)
  if (schemaAt(schema, [section]) instanceof z.ZodRecord) return [section, tail]
  const path = keyPath(schema, [section], tail)
  if (path !== undefined) return path
  throw invalid(unknownKey(variable, [section], tail, knownKeys(schemaAt(schema, [section]))))
}

/** `sasl_password` in section `kafka` is the key `password` of its table `sasl`. */
function keyPath(
  schema: z.ZodType,
  at: readonly string[],
  tail: string,
): readonly string[] | undefined {
  const keys = knownKeys(schemaAt(schema, at))
  if (keys.includes(tail)) return [...at, tail]
  const table = keys.find((key) => tail.startsWith(`${key}_`))
  return table === undefined
    ? undefined
    : keyPath(schema, [...at, table], tail.slice(table.length + 1))
}

/** The first reading of the text that the schema takes; the text itself, to be complained of, if none. */
function valueOf(text: string, schema: z.core.$ZodType): unknown {
  const list = text.split(',').map((part) => part.trim())
  const readings: readonly unknown[] = [
    text,
    ...(text.trim() === '' ? [] : [Number(text)]),
    ...(text === 'true' || text === 'false' ? [text === 'true'] : []),
    list,
  ]
  return readings.find((value) => z.safeParse(schema, value).success) ?? text
}

function withValue(table: TomlTable, path: readonly string[], value: unknown): TomlTable {
  const [key, ...rest] = path
  if (key === undefined) return table
  if (rest.length === 0) return { ...table, [key]: value }
  const inner = table[key]
  const base = typeof inner === 'object' && inner !== null ? (inner as TomlTable) : {}
  return { ...table, [key]: withValue(base, rest, value) }
}
