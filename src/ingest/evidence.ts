/** Evidence: what nodes and probes observe of others. Lists are bounded, hashes are hex. */
import { z } from 'zod'
import {
  CHUNKS_MAX,
  type EvidenceKind,
  type EvidenceRecord,
  HOPS_MAX,
  PEERS_MAX,
} from '../core/evidence.ts'
import { HOLDS_MAX, NODE_BLOCKS_MAX, RESYNC_ID_CHARS_MAX } from '../core/resync.ts'
import { checkedBody, parseObject } from './body.ts'
import { type Field, timeField } from './field.ts'
import { quoted, refuse, typeName } from './refusal.ts'
import { nodeId, orNull, poolOrDefault, versions, workloadId } from './schema.ts'

const NAME_CHARS_MAX = 256

const name = z.string().min(1).max(NAME_CHARS_MAX)
const hash = z.string().regex(/^[0-9a-f]{64}$/, 'expected SHA-256 as 64 digits of 0-9 and a-f')
const peers = z.array(nodeId).max(PEERS_MAX, `expected at most ${PEERS_MAX} nodes`).default([])
const HOPS = `expected 1 to ${HOPS_MAX}: one that was passed on too often is not taken`
const observation = {
  pool: poolOrDefault,
  node: nodeId,
  atMs: z.number(),
  hopsLeft: z.int(HOPS).min(1, HOPS).max(HOPS_MAX, HOPS).exactOptional(),
}
const LATENCY_MS_MAX = 600_000
const latencies = z
  .array(z.number().min(0).max(LATENCY_MS_MAX).nullable())
  .max(PEERS_MAX, `expected at most ${PEERS_MAX} latencies`)

const BODIES: { readonly [Kind in EvidenceKind]: z.ZodType<EvidenceRecord> } = {
  reachability: z
    .object({
      kind: z.literal('reachability'),
      ...observation,
      reachable: peers,
      unreachable: peers,
      latenciesMs: latencies.exactOptional(),
    })
    .refine(
      ({ reachable, latenciesMs }) =>
        latenciesMs === undefined || latenciesMs.length === reachable.length,
      { path: ['latenciesMs'], error: 'expected one for each of `reachable`, or null' },
    )
    .refine(({ reachable, unreachable }) => !reachable.some((peer) => unreachable.includes(peer)), {
      error: 'a peer is both `reachable` and `unreachable`; expected it in one list',
    }),
  'service-check': z.object({
    kind: z.literal('service-check'),
    ...observation,
    about: nodeId,
    service: name,
    probe: z.enum(['tcp', 'http', 'container']),
    ok: z.boolean(),
    status: z.int().min(-1_000).max(100_000).nullish().transform(orNull),
    latencyMs: z.number().min(0).nullish().transform(orNull),
  }),
  digest: z.object({
    kind: z.literal('digest'),
    ...observation,
    object: name,
    version: name,
    root: hash,
    chunks: z.array(hash).max(CHUNKS_MAX, `expected at most ${CHUNKS_MAX} chunks`).default([]),
  }),
  claim: z.object({
    kind: z.literal('claim'),
    ...observation,
    about: nodeId,
    claim: z.enum(['dead', 'alive', 'corrupt', 'misbehaving']),
  }),
  challenge: z.object({
    kind: z.literal('challenge'),
    ...observation,
    challengeId: name,
    about: nodeId,
    nonce: name,
  }),
  'challenge-response': z.object({
    kind: z.literal('challenge-response'),
    ...observation,
    challengeId: name,
    mac: hash,
  }),
  ballot: z.object({ kind: z.literal('ballot'), ...observation, ballot: name, choice: name }),
  holding: z.object({
    kind: z.literal('holding'),
    ...observation,
    resync: z.string().min(1).max(RESYNC_ID_CHARS_MAX),
    block: z.int().min(0).max(NODE_BLOCKS_MAX),
    digest: hash,
    holds: z
      .array(z.object({ workload: workloadId, versions: versions.nullable() }))
      .max(HOLDS_MAX, `expected at most ${HOLDS_MAX} workloads`)
      .exactOptional(),
  }),
}

/** `nowMs` is what `at` is held against, `appendedAtMs` the time of a record that gives none. */
export function decodeEvidence(
  bytes: Uint8Array,
  { nowMs, appendedAtMs }: { readonly nowMs: number; readonly appendedAtMs: number },
): Field<EvidenceRecord> {
  const body = parseObject(bytes)
  if (!body.ok) return body
  const { kind, at, atMs, ...rest } = body.value
  if (typeof kind !== 'string' || !isKind(kind)) {
    const shown = typeof kind === 'string' ? quoted(kind) : typeName(kind)
    const known = Object.keys(BODIES).join(', ')
    return refuse('kind-unknown', `\`kind\` is ${shown}; expected one of ${known}`)
  }
  const time = timeField(at ?? atMs ?? appendedAtMs, nowMs)
  if (!time.ok) return time
  return checkedBody(BODIES[kind], { ...rest, kind, atMs: time.value })
}

function isKind(kind: string): kind is EvidenceKind {
  return Object.hasOwn(BODIES, kind)
}
