/** JSON objects in records of others, which may hold anything. */
import { toText } from './bytes.ts'

/** `undefined` where the value is no JSON object. */
export function jsonObjectOf(value: Uint8Array | null): Record<string, unknown> | undefined {
  if (value === null) return undefined
  try {
    const parsed: unknown = JSON.parse(toText(value))
    return isObject(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
