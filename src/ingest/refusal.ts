/** Why something from outside was not taken. Each reason is a counter and a header of the dead letter. */

export type Reason =
  | 'too-large'
  | 'empty'
  | 'not-utf8'
  | 'not-json'
  | 'not-arrow'
  | 'not-an-object'
  | 'column-missing'
  | 'column-type'
  | 'node-missing'
  | 'node-invalid'
  | 'class-unknown'
  | 'at-missing'
  | 'at-invalid'
  | 'in-the-future'
  | 'too-old'
  | 'metric-not-a-number'
  | 'kind-unknown'
  | 'field-invalid'

export interface Refusal {
  readonly ok: false
  readonly reason: Reason
  /** A sentence for people: where it is, what it is, what was expected. */
  readonly detail: string
}

/** Texts from outside are cut to this in a detail, which becomes a header. */
const QUOTE_CHARS_MAX = 60

export function refuse(reason: Reason, detail: string): Refusal {
  return { ok: false, reason, detail }
}

/** The same refusal, told of one row of a record. */
export function inRow(row: number, { reason, detail }: Refusal): Refusal {
  return refuse(reason, `row ${row}: ${detail}`)
}

export function quoted(text: string): string {
  const cut = text.length > QUOTE_CHARS_MAX ? `${text.slice(0, QUOTE_CHARS_MAX)}…` : text
  return JSON.stringify(cut)
}

/** A JSON value's type in words. */
export function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  return value === undefined ? 'missing' : `a ${typeof value}`
}
