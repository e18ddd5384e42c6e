/**
 * POST /v1/controls: what operators say (mode, stop, emergency, veto, approval, maintenance), always with a reason.
 *
 * All of them take one partition, so that "stop" never overtakes the "go on" before it. A stop of
 * every pool is also put on the compacted `stop` topic, which is read out of band before every send.
 */
import { randomUUID } from 'node:crypto'
import { Hono } from 'hono'
import { z } from 'zod'
import type { Output } from '../core/bus.ts'
import { MATCHED, silenceProblem } from '../core/alert.ts'
import { windowProblem } from '../core/maintenance.ts'
import { LISTING_FILE } from '../core/model.ts'
import { type Control, MODEL_ACTIONS, modelControlProblem } from '../core/policy.ts'
import { topicName } from '../core/topics.ts'
import type { Topology } from '../core/topics.ts'
import { readBody } from './body.ts'
import type { StoredModels } from './models.ts'
import { badRequest } from './problem.ts'

const CONTROL_BYTES_MAX = 16_384
const CONTROL_PARTITION = 0
/** Key of the console's stop on the stop topic; a tombstone there lifts it. */
const STOP_KEY = 'console'

const text = z.string().trim().min(1).max(1_000)
const AT = 'expected ms since 1970 or an RFC 3339 time'
const time = z.union([z.int().min(0), z.iso.datetime({ offset: true, error: AT })], { error: AT })
const common = {
  pool: text.nullable().default(null),
  by: text.default('console'),
  reason: text,
}
const ControlBody = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('mode'),
    mode: z.enum(['observe', 'approve', 'enforce']),
    ...common,
  }),
  z.strictObject({ kind: z.literal('stop'), stopped: z.boolean(), ...common }),
  z.strictObject({ kind: z.literal('emergency'), emergency: z.boolean(), ...common }),
  z.strictObject({ kind: z.literal('veto'), node: text, veto: z.boolean(), ...common }),
  z.strictObject({
    kind: z.literal('approval'),
    incident: text,
    approved: z.boolean(),
    ...common,
  }),
  z.strictObject({
    kind: z.literal('model'),
    action: z.enum(MODEL_ACTIONS),
    nodeClass: text,
    model: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .nullable()
      .default(null),
    ...common,
    pool: z.null().default(null),
  }),
  z
    .strictObject({
      kind: z.literal('maintenance'),
      window: text.max(256).default(() => randomUUID()),
      withdrawn: z.boolean().default(false),
      node: text.nullable().default(null),
      zone: text.nullable().default(null),
      start: time.nullable().default(null),
      end: time.nullable().default(null),
      holds: z.enum(['preemptive', 'everything']).default('preemptive'),
      ...common,
    })
    .superRefine((said, context) => {
      const problem = windowProblem({ ...said, startMs: msOf(said.start), endMs: msOf(said.end) })
      if (problem === null) return
      context.addIssue({ code: 'custom', path: [problem.path], message: problem.message })
    }),
  z
    .strictObject({
      kind: z.literal('silence'),
      silence: text.max(256).default(() => randomUUID()),
      withdrawn: z.boolean().default(false),
      matchers: z.partialRecord(z.enum(MATCHED), text.max(256)).default({}),
      until: time.nullable().default(null),
      ...common,
      pool: z.null().default(null),
    })
    .superRefine((said, context) => {
      const problem = silenceProblem({ ...said, untilMs: msOf(said.until) })
      if (problem === null) return
      context.addIssue({ code: 'custom', path: [problem.path], message: problem.message })
    }),
  z.strictObject({
    kind: z.literal('acknowledge'),
    fingerprint: z.string().regex(/^[0-9a-f]{16}$/, 'expected the 16 hex digits of an alert'),
    acknowledged: z.boolean().default(true),
    ...common,
    pool: z.null().default(null),
  }),
])

function msOf(at: z.infer<typeof time> | null): number | null {
  return typeof at === 'string' ? Date.parse(at) : at
}

export interface ControlPorts {
  readonly topology: Topology
  readonly produce: (outputs: readonly Output[]) => Promise<unknown>
  readonly models: StoredModels
}

export function controlRoutes({ topology, produce, models }: ControlPorts): Hono {
  const routes = new Hono()
  routes.post('/', async (c) => {
    const control = readControl(await readBody(c, CONTROL_BYTES_MAX))
    await requireModel(control, models)
    await produce(controlOutputs(topology, control))
    return c.json(control, 202)
  })
  return routes
}

/** Watchers wait for a model that the log names: one that nobody has would stop them all. */
async function requireModel(control: Control, models: StoredModels): Promise<void> {
  if (control.kind !== 'model') return
  const problem = modelControlProblem(control)
  if (problem !== null) throw badRequest(`model: ${problem}`)
  const { model } = control
  if (model === null || (await models.file(model, LISTING_FILE)) !== null) return
  throw badRequest(`model: ${model} is not in the store of this console; foreshock models add it`)
}

function readControl(bytes: Uint8Array): Control {
  let parsed: unknown
  try {
    parsed = JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    throw badRequest('the body is not JSON')
  }
  const checked = ControlBody.safeParse(parsed)
  if (checked.success) return checked.data as Control
  const [issue] = checked.error.issues
  const path = issue?.path.join('.') ?? ''
  throw badRequest(path === '' ? (issue?.message ?? 'invalid') : `${path}: ${issue?.message}`)
}

function controlOutputs(topology: Topology, control: Control): readonly Output[] {
  const value = JSON.stringify(control)
  const headers = { 'content-type': 'application/json' }
  const outputs: Output[] = [
    {
      topic: topicName(topology, 'controls'),
      partition: CONTROL_PARTITION,
      key: control.pool,
      value,
      headers,
    },
  ]
  if (control.kind === 'stop' && control.pool === null) {
    outputs.push({
      topic: topicName(topology, 'stop'),
      partition: 0,
      key: STOP_KEY,
      value: control.stopped ? `${control.by}: ${control.reason}` : null,
      headers,
    })
  }
  return outputs
}
