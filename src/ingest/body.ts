/** The JSON body of one record: bytes to a value, and a value checked against a schema. */
import type { z } from 'zod'
import type { Field } from './field.ts'
import { quoted, refuse, typeName } from './refusal.ts'
import type { Refusal } from './refusal.ts'

export type JsonObject = Readonly<Record<string, unknown>>

export function parseText(bytes: Uint8Array): Field<string> {
  try {
    return { ok: true, value: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch {
    return refuse('not-utf8', 'the record is not UTF-8 text')
  }
}

export function parseJson(text: string): Field<unknown> {
  if (text.trim() === '') return refuse('empty', 'the record is empty')
  try {
    return { ok: true, value: JSON.parse(text) as unknown }
  } catch {
    return refuse('not-json', `is not JSON: ${quoted(text)}`)
  }
}

export function parseObject(bytes: Uint8Array): Field<JsonObject> {
  const text = parseText(bytes)
  if (!text.ok) return text
  const json = parseJson(text.value)
  return json.ok ? asObject(json.value) : json
}

export function asObject(value: unknown): Field<JsonObject> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return { ok: true, value: value as JsonObject }
  }
  return refuse('not-an-object', `expected a JSON object, found ${typeName(value)}`)
}

export function checkedBody<Output>(schema: z.ZodType<Output>, value: unknown): Field<Output> {
  const result = schema.safeParse(value)
  return result.success ? { ok: true, value: result.data } : invalidField(result.error)
}

/** The first mistake is enough for a dead letter. */
function invalidField(error: z.ZodError): Refusal {
  const issue = error.issues[0]
  if (issue === undefined)
    return refuse('field-invalid', 'the record does not have the shape expected')
  return refuse('field-invalid', `\`${issue.path.join('.')}\`: ${issue.message}`)
}
