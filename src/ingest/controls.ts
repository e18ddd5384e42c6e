/** Controls: what operators tell the service, each with who and why. */
import { z } from 'zod'
import type { IncidentId, ModelId } from '../core/ids.ts'
import { MATCHED, silenceProblem } from '../core/alert.ts'
import { windowProblem } from '../core/maintenance.ts'
import { type Control, MODEL_ACTIONS, modelControlProblem } from '../core/policy.ts'
import { checkedBody, parseObject } from './body.ts'
import { configControl } from './config-control.ts'
import type { Field } from './field.ts'
import { quoted, refuse, typeName } from './refusal.ts'
import { nodeId, orNull, poolId, time } from './schema.ts'

const said = z
  .string()
  .trim()
  .min(1, 'expected who and why: it is written to the journal')
  .max(1_024)

const common = { pool: poolId.nullish().transform(orNull), by: said, reason: said }

const BODIES = {
  mode: z.object({
    kind: z.literal('mode'),
    mode: z.enum(['observe', 'approve', 'enforce']),
    ...common,
  }),
  stop: z.object({ kind: z.literal('stop'), stopped: z.boolean(), ...common }),
  emergency: z.object({ kind: z.literal('emergency'), emergency: z.boolean(), ...common }),
  veto: z.object({ kind: z.literal('veto'), node: nodeId, veto: z.boolean(), ...common }),
  approval: z.object({
    kind: z.literal('approval'),
    incident: z
      .string()
      .min(1, 'expected the id of an open incident')
      .max(512)
      .transform((id) => id as IncidentId),
    approved: z.boolean(),
    ...common,
  }),
  model: z
    .object({
      kind: z.literal('model'),
      action: z.enum(MODEL_ACTIONS),
      nodeClass: z.string().min(1).max(64),
      model: z
        .string()
        .regex(/^[0-9a-f]{64}$/, 'expected the 64 hex digits of a stored model')
        .transform((id) => id as ModelId)
        .nullish()
        .transform(orNull),
      ...common,
      pool: z.null().default(null),
    })
    .superRefine((said, context) => {
      const message = modelControlProblem(said)
      if (message !== null) context.addIssue({ code: 'custom', path: ['model'], message })
    }),
  maintenance: z
    .object({
      kind: z.literal('maintenance'),
      window: z.string().min(1, 'expected a name, to change or withdraw it by').max(256),
      withdrawn: z.boolean().default(false),
      node: nodeId.nullish().transform(orNull),
      zone: z.string().min(1).max(256).nullish().transform(orNull),
      start: time.nullish().transform(orNull),
      end: time.nullish().transform(orNull),
      holds: z.enum(['preemptive', 'everything']).default('preemptive'),
      ...common,
    })
    .transform(({ start: startMs, end: endMs, ...rest }, context) => {
      const control = { ...rest, startMs, endMs }
      const problem = windowProblem(control)
      if (problem === null) return control
      context.addIssue({ code: 'custom', path: [problem.path], message: problem.message })
      return z.NEVER
    }),
  silence: z
    .object({
      kind: z.literal('silence'),
      silence: z.string().min(1, 'expected a name, to change or withdraw it by').max(256),
      withdrawn: z.boolean().default(false),
      matchers: z.partialRecord(z.enum(MATCHED), z.string().min(1).max(256)).default({}),
      until: time.nullish().transform(orNull),
      ...common,
      pool: z.null().default(null),
    })
    .transform(({ until: untilMs, ...rest }, context) => {
      const control = { ...rest, untilMs }
      const problem = silenceProblem(control)
      if (problem === null) return control
      context.addIssue({ code: 'custom', path: [problem.path], message: problem.message })
      return z.NEVER
    }),
  acknowledge: z.object({
    kind: z.literal('acknowledge'),
    fingerprint: z.string().regex(/^[0-9a-f]{16}$/, 'expected the 16 hex digits of an alert'),
    acknowledged: z.boolean().default(true),
    ...common,
    pool: z.null().default(null),
  }),
  config: configControl,
}

export function decodeControl(bytes: Uint8Array): Field<Control> {
  const body = parseObject(bytes)
  if (!body.ok) return body
  const { kind } = body.value
  if (isKnown(kind)) {
    return checkedBody<Control>(BODIES[kind], body.value)
  }
  const shown = typeof kind === 'string' ? quoted(kind) : typeName(kind)
  const known = Object.keys(BODIES).join(', ')
  return refuse('kind-unknown', `\`kind\` is ${shown}; expected one of ${known}`)
}

function isKnown(kind: unknown): kind is keyof typeof BODIES {
  return typeof kind === 'string' && Object.hasOwn(BODIES, kind)
}
