/**
 * Node events: joins, failures, heartbeats and the rest of core's NodeEvent, in JSON. The event's name
 * stands in `kind` or `type`, or in the CloudEvents header `ce_type` (`foreshock.event.join`).
 */
import { z } from 'zod'
import { DEFAULT_POOL } from '../core/ids.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import type { NodeClass, NodeEvent } from '../core/node.ts'
import { never } from '../core/errors.ts'
import { checkedBody, parseObject } from './body.ts'
import type { JsonObject } from './body.ts'
import { nodeField, timeField } from './field.ts'
import type { Field } from './field.ts'
import { classField } from './json.ts'
import { quoted, refuse } from './refusal.ts'
import { orNull, poolId, resources, time } from './schema.ts'

export interface EventContext {
  readonly nodeClasses: ReadonlyMap<string, NodeClass>
  readonly defaultClass: string
  /** What `at` is held against. */
  readonly nowMs: number
  /** Time of an event that gives none. A failure must: it is a label. */
  readonly appendedAtMs: number
  /** Of the record. */
  readonly headers: Readonly<Record<string, string>>
}

const KINDS = ['join', 'leave', 'failure', 'labels', 'heartbeat', 'error', 'maintenance'] as const
type Kind = (typeof KINDS)[number]

export function decodeNodeEvent(bytes: Uint8Array, context: EventContext): Field<NodeEvent> {
  const body = parseObject(bytes)
  if (!body.ok) return body
  const kind = eventKind(body.value, context.headers)
  if (!kind.ok) return kind
  const node = nodeField(body.value['node'])
  if (!node.ok) return node
  const given = body.value['at'] ?? body.value['atMs']
  const lacking = given === undefined && kind.value !== 'failure'
  const at = timeField(lacking ? context.appendedAtMs : given, context.nowMs)
  if (!at.ok) return at
  return decodeKind(kind.value, node.value, at.value, body.value, context)
}

/** `kind` of a failure may also be the kind of failure, so a name found elsewhere counts as well. */
function eventKind(body: JsonObject, headers: Readonly<Record<string, string>>): Field<Kind> {
  const header = headers['ce_type']?.split('.').at(-1)
  const names = [body['kind'], body['type'], header]
  const kind = KINDS.find((name) => name === names.find((given) => isKind(given)))
  if (kind !== undefined) return { ok: true, value: kind }
  const shown = names.find((name) => typeof name === 'string')
  const found = shown === undefined ? 'missing' : quoted(shown)
  return refuse('kind-unknown', `\`kind\` is ${found}; expected one of ${KINDS.join(', ')}`)
}

function isKind(name: unknown): boolean {
  return KINDS.some((kind) => kind === name)
}

function decodeKind(
  kind: Kind,
  node: NodeId,
  atMs: number,
  body: JsonObject,
  context: EventContext,
): Field<NodeEvent> {
  switch (kind) {
    case 'join':
      return decodeJoin(node, atMs, body, context)
    case 'leave':
      return { ok: true, value: { kind, node, atMs } }
    case 'failure': {
      const failureKind = body['failureKind'] ?? (isKind(body['kind']) ? undefined : body['kind'])
      return joined({ kind, node, atMs }, Failure, { failureKind })
    }
    case 'labels':
      return joined({ kind, node, atMs }, LabelChanges, body)
    case 'heartbeat':
      return joined({ kind, node, atMs }, Heartbeat, body)
    case 'error':
      return joined({ kind, node, atMs }, ErrorEntry, body)
    case 'maintenance':
      return joined({ kind, node, atMs }, Maintenance, {
        untilMs: body['until'] ?? body['untilMs'],
      })
    default:
      return never(kind)
  }
}

function decodeJoin(
  node: NodeId,
  atMs: number,
  body: JsonObject,
  context: EventContext,
): Field<NodeEvent> {
  const nodeClass = classField(body['class'], context)
  if (!nodeClass.ok) return nodeClass
  const join = checkedBody(Join, body)
  if (!join.ok) return join
  const { pool, labels, place, capacity } = join.value
  const named = pool ?? (labels['pool'] as PoolId | undefined) ?? DEFAULT_POOL
  const className = nodeClass.value.name
  return {
    ok: true,
    value: { kind: 'join', node, atMs, class: className, pool: named, labels, place, capacity },
  }
}

/** What every event has, and the rest as the schema says. */
function joined<Head extends object, Rest>(
  head: Head,
  schema: z.ZodType<Rest>,
  body: unknown,
): Field<Head & Rest> {
  const rest = checkedBody(schema, body)
  return rest.ok ? { ok: true, value: { ...head, ...rest.value } } : rest
}

const LABELS_MAX = 64
const LABEL_CHARS_MAX = 1_024

const label = z
  .union([z.string().max(LABEL_CHARS_MAX), z.number(), z.boolean()], 'expected text')
  .transform(String)
const name = z.string().min(1).max(LABEL_CHARS_MAX)
const degrees = (max: number) => z.number().min(-max).max(max).nullish().transform(orNull)

/** The label `pool` is the pool's name, so it must be able to be one. */
const joinLabels = z
  .record(name, label)
  .refine((labels) => Object.keys(labels).length <= LABELS_MAX, {
    error: `expected at most ${LABELS_MAX} labels`,
  })
  .refine((labels) => labels['pool'] === undefined || poolId.safeParse(labels['pool']).success, {
    error: 'label `pool` cannot name a pool',
  })

const Join = z.object({
  pool: poolId.nullish(),
  labels: joinLabels.default({}),
  place: z
    .object({
      zone: z.string().nullish().transform(orNull),
      region: z.string().nullish().transform(orNull),
      latitude: degrees(90),
      longitude: degrees(180),
    })
    .prefault({}),
  capacity: resources,
})

const LabelChanges = z.object({
  labels: z
    .record(name, label.nullable())
    .refine((labels) => Object.keys(labels).length <= LABELS_MAX, {
      error: `expected at most ${LABELS_MAX} labels`,
    })
    .refine((labels) => (labels['pool'] ?? '') === '' || poolId.safeParse(labels['pool']).success, {
      error: 'label `pool` cannot name a pool',
    }),
})

const Failure = z.object({ failureKind: z.string().max(LABEL_CHARS_MAX).default('unknown') })
const Heartbeat = z.object({ component: name.nullish().transform(orNull) })
const ErrorEntry = z.object({ code: z.union([name, z.number()]).transform(String) })
const Maintenance = z.object({ untilMs: time })
