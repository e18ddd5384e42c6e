/** Results: what executors report of a command. */
import { z } from 'zod'
import type { Result } from '../core/command.ts'
import { checkedBody, parseObject } from './body.ts'
import type { Field } from './field.ts'
import { commandId, nodeId, orNull, poolId, time } from './schema.ts'

const DETAIL_CHARS_MAX = 4_096

const ResultBody = z.object({
  commandId,
  epoch: z.int().min(0),
  pool: poolId,
  node: nodeId,
  state: z.enum(['accepted', 'rejected', 'started', 'progress', 'succeeded', 'failed', 'verified']),
  atMs: time,
  detail: z.string().max(DETAIL_CHARS_MAX).nullish().transform(orNull),
})

export function decodeResult(bytes: Uint8Array): Field<Result> {
  const body = parseObject(bytes)
  if (!body.ok) return body
  const { at, ...rest } = body.value
  return checkedBody(ResultBody, { atMs: at, ...rest })
}
