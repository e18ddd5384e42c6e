/** Placements: where the executors say that a workload runs. */
import { z } from 'zod'
import type { Placement } from '../core/workload.ts'
import { checkedBody, parseObject } from './body.ts'
import type { Field } from './field.ts'
import { bytesCount, nodeId, poolOrDefault, resources, versions, workloadId } from './schema.ts'

const DEPENDENCIES_MAX = 256
const GROUP_CHARS_MAX = 256
const NO_CONTROLS = 'expected text without control characters'

const PlacementBody = z
  .object({
    workload: workloadId,
    node: nodeId.nullable(),
    pool: poolOrDefault,
    priority: z.enum(['CRITICAL', 'HIGH', 'NORMAL', 'LOW']).default('NORMAL'),
    needs: resources,
    stateBytes: bytesCount.default(0),
    dependsOn: z.array(workloadId).max(DEPENDENCIES_MAX).readonly().default([]),
    group: z
      .string()
      .min(1)
      .max(GROUP_CHARS_MAX)
      .regex(/^\P{Cc}*$/u, NO_CONTROLS)
      .exactOptional(),
    versions: versions.exactOptional(),
    standby: nodeId.nullable().default(null),
  })
  .refine(({ node, standby }) => standby === null || standby !== node, {
    path: ['standby'],
    error: 'is the node where the workload runs; name another, or null',
  })

export function decodePlacement(bytes: Uint8Array): Field<Placement> {
  const body = parseObject(bytes)
  return body.ok ? checkedBody(PlacementBody, body.value) : body
}
