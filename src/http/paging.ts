/** Query parameters of lists: `limit` and `cursor`, checked; a cursor is opaque to callers. */
import { badRequest } from './problem.ts'

export const LIMIT_DEFAULT = 100
export const LIMIT_MAX = 1_000

export interface Page<Item> {
  readonly items: readonly Item[]
  /** Give it as `cursor` for the next page; null at the end. */
  readonly nextCursor: string | null
}

export function limitOf(text: string | undefined): number {
  if (text === undefined) return LIMIT_DEFAULT
  const limit = /^\d+$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > LIMIT_MAX) {
    throw badRequest(`limit: "${text}" is no whole number from 1 to ${LIMIT_MAX}`)
  }
  return limit
}

/** The text inside a cursor that `cursorFor` made; undefined without one. */
export function cursorOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const inner = Buffer.from(text, 'base64url').toString('utf8')
  if (inner === '' || cursorFor(inner) !== text) {
    throw badRequest('cursor: give back a nextCursor of this list, unchanged')
  }
  return inner
}

export function cursorFor(inner: string): string {
  return Buffer.from(inner, 'utf8').toString('base64url')
}

/** A cursor that holds a sequence number. */
export function sequenceOf(text: string | undefined): number | undefined {
  const inner = cursorOf(text)
  if (inner === undefined) return undefined
  if (!/^\d+$/.test(inner)) throw badRequest('cursor: it belongs to another list')
  return Number(inner)
}

/** A probability filter such as `min_probability`. */
export function ratioOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ratio = text.trim() === '' ? Number.NaN : Number(text)
  if (!(ratio >= 0 && ratio <= 1)) throw badRequest(`${name}: "${text}" is no number from 0 to 1`)
  return ratio
}
