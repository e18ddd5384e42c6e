/** Fields that every record from outside shares: the node's name and the time. */
import { ID_BYTES_MAX, idProblem } from '../core/ids.ts'
import type { NodeId } from '../core/ids.ts'
import { DAY_MS } from '../core/time.ts'
import { quoted, refuse, typeName } from './refusal.ts'
import type { Refusal } from './refusal.ts'

/** A time stamp further ahead of `now` than this is wrong, and would hold the node's state back. */
export const FUTURE_MS_MAX = 300_000

/** The last time that a JavaScript date can hold. */
export const AT_MS_MAX = 8_640_000_000_000_000

export type Field<Value> = { readonly ok: true; readonly value: Value } | Refusal

export function nodeField(value: unknown): Field<NodeId> {
  if (value === undefined || value === null) {
    return refuse('node-missing', '`node` is missing; expected the name of the node')
  }
  if (typeof value !== 'string') {
    return refuse('node-invalid', `\`node\` is ${typeName(value)}; expected text`)
  }
  return nodeName(value)
}

export function nodeName(text: string): Field<NodeId> {
  switch (idProblem(text)) {
    case undefined:
      break
    case 'empty':
      return refuse('node-invalid', '`node` is empty; expected the name of the node')
    case 'too-long':
      return refuse(
        'node-invalid',
        `\`node\` is longer than ${ID_BYTES_MAX} bytes: ${quoted(text)}`,
      )
    case 'control-character':
      return refuse('node-invalid', `\`node\` has a control character: ${quoted(text)}`)
  }
  // It would change on its way through UTF-8, and two nodes could become one.
  if (LONE_SURROGATE.test(text)) {
    return refuse('node-invalid', '`node` has half a surrogate pair; expected Unicode text')
  }
  return { ok: true, value: text as NodeId }
}

const LONE_SURROGATE = /\p{Surrogate}/u
const RFC3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/

/** Milliseconds since 1970 as a number, or RFC 3339 text; in whole ms. `nowMs` is Infinity where nothing is too late. */
export function timeField(value: unknown, nowMs: number): Field<number> {
  if (value === undefined || value === null) {
    return refuse('at-missing', '`at` is missing; expected ms since 1970 or an RFC 3339 time')
  }
  const atMs = timeOf(value)
  if (atMs !== undefined && atMs >= 0 && atMs <= AT_MS_MAX) return checkedTime(atMs, nowMs)
  const shown =
    typeof value === 'string' || typeof value === 'number' ? quoted(String(value)) : typeName(value)
  return refuse('at-invalid', `\`at\` is ${shown}; expected ms since 1970 or an RFC 3339 time`)
}

export function checkedTime(atMs: number, nowMs: number): Field<number> {
  const aheadMs = atMs - nowMs
  if (aheadMs <= FUTURE_MS_MAX) return { ok: true, value: Math.floor(atMs) }
  return refuse(
    'in-the-future',
    `\`at\` is ${Math.ceil(aheadMs / 1_000)} s ahead of the log, more than the ${FUTURE_MS_MAX / 1_000} s allowed; check the node's clock and that the unit is ms`,
  )
}

/** Why a sample of this time cannot be taken live. */
export function sampleAgeProblem(
  atMs: number,
  {
    nowMs,
    sampleAgeMsMax = Infinity,
  }: { readonly nowMs: number; readonly sampleAgeMsMax?: number },
): Refusal | undefined {
  const ageMs = nowMs - atMs
  if (!Number.isFinite(ageMs) || ageMs <= sampleAgeMsMax) return undefined
  return refuse(
    'too-old',
    `\`at\` is ${Math.floor(ageMs / DAY_MS)} days old, more than the ${sampleAgeMsMax / DAY_MS} allowed; check that the unit is ms, and send history through foreshock replay`,
  )
}

function timeOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value !== 'string' || !RFC3339.test(value)) return undefined
  return Date.parse(value.toUpperCase().replace(' ', 'T'))
}
