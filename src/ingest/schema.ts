/** Pieces that several public records share, as zod schemas. */
import { z } from 'zod'
import { DEFAULT_POOL, ID_BYTES_MAX, idProblem } from '../core/ids.ts'
import type { CommandId, NodeId, PoolId, WorkloadId } from '../core/ids.ts'
import { WRITERS_MAX } from '../core/version-vector.ts'
import { timeField } from './field.ts'

const id = z.string().refine((text) => idProblem(text) === undefined, {
  error: `expected 1 to ${ID_BYTES_MAX} bytes without control characters`,
})

export const nodeId = id.transform((text) => text as NodeId)
export const poolId = id.transform((text) => text as PoolId)
export const workloadId = id.transform((text) => text as WorkloadId)
export const commandId = id.transform((text) => text as CommandId)

/** Pool of a record that names none. */
export const poolOrDefault = poolId.nullish().transform((pool) => pool ?? DEFAULT_POOL)

/** Ms or RFC 3339. Without a bound: who looks at a maintenance window looks into the future. */
export const time = z.unknown().transform((value, context): number => {
  const at = timeField(value, Infinity)
  if (at.ok) return at.value
  context.addIssue({ code: 'custom', message: 'expected ms since 1970 or an RFC 3339 time' })
  return z.NEVER
})

const amount = z.number().min(0)

export const gpu = z.object({
  model: z.string().min(1),
  count: z.int().min(0),
  interconnect: z.string().nullish().transform(orNull),
})

/** What is left out is nothing: a node without known capacity is no target. */
export const resources = z
  .object({
    cpu: amount.default(0),
    memoryBytes: amount.default(0),
    gpu: gpu.nullish().transform(orNull),
  })
  .prefault({})

export const bytesCount = amount

export function orNull<Value>(value: Value | null | undefined): Value | null {
  return value ?? null
}

const WRITER_CHARS_MAX = 256

/** How often each writer has changed something. */
export const versions = z
  .record(z.string().min(1).max(WRITER_CHARS_MAX), z.int().min(0))
  .refine((counts) => Object.keys(counts).length <= WRITERS_MAX, {
    error: `expected at most ${WRITERS_MAX} writers`,
  })
