/** Votes of nodes. Whether one is signed and counts is for the pool's coordinator to say. */
import { z } from 'zod'
import type { BallotId, Vote } from '../core/vote.ts'
import { checkedBody, parseObject } from './body.ts'
import { type Field, timeField } from './field.ts'
import { nodeId, poolOrDefault } from './schema.ts'

const BALLOT_CHARS_MAX = 512
const BALLOT = 'expected the id of an open ballot'

const VoteBody = z.object({
  pool: poolOrDefault,
  ballot: z
    .string(BALLOT)
    .min(1, BALLOT)
    .max(BALLOT_CHARS_MAX)
    .transform((id) => id as BallotId),
  node: nodeId,
  choice: z.enum(['yes', 'no']),
  atMs: z.number(),
  mac: z.string().regex(/^[0-9a-f]{64}$/, 'expected HMAC-SHA-256 as 64 digits of 0-9 and a-f'),
})

/** `nowMs` is what `at` is held against, `appendedAtMs` the time of a record that gives none. */
export function decodeVote(
  bytes: Uint8Array,
  { nowMs, appendedAtMs }: { readonly nowMs: number; readonly appendedAtMs: number },
): Field<Vote> {
  const body = parseObject(bytes)
  if (!body.ok) return body
  const { at, atMs, ...rest } = body.value
  const time = timeField(at ?? atMs ?? appendedAtMs, nowMs)
  if (!time.ok) return time
  return checkedBody(VoteBody, { ...rest, atMs: time.value })
}
