import { expect, test } from 'vitest'
import { toBytes } from '../../../src/core/bytes.ts'
import { decodeEvidence } from '../../../src/ingest/evidence.ts'

const HOLDING = { kind: 'holding', resync: 'web.7.resync', block: 3, digest: 'b'.repeat(64) }
const NOW = 1_763_600_000_000
const CONTEXT = { nowMs: NOW, appendedAtMs: NOW - 5 }

function decode(body: object) {
  return decodeEvidence(toBytes(JSON.stringify(body)), CONTEXT)
}

test.each([
  { kind: 'reachability', reachable: ['b'], unreachable: ['c'] },
  { kind: 'reachability', reachable: ['b', 'd'], unreachable: [], latenciesMs: [0.4, null] },
  { kind: 'claim', about: 'b', claim: 'dead', hopsLeft: 8 },
  {
    kind: 'service-check',
    about: 'b',
    service: 'db',
    probe: 'tcp',
    ok: true,
    status: null,
    latencyMs: 2,
  },
  { kind: 'digest', object: 'o', version: '1', root: 'a'.repeat(64), chunks: ['b'.repeat(64)] },
  { kind: 'claim', about: 'b', claim: 'dead' },
  { kind: 'challenge', challengeId: 'c1', about: 'b', nonce: 'x' },
  { kind: 'challenge-response', challengeId: 'c1', mac: '0'.repeat(64) },
  { kind: 'ballot', ballot: 'b1', choice: 'yes' },
  { kind: 'holding', resync: 'web.7.resync', block: 0, digest: 'a'.repeat(64) },
  { ...HOLDING, holds: [{ workload: 'w', versions: { e: 1 } }] },
  { ...HOLDING, holds: [{ workload: 'v', versions: null }] },
])('$kind is taken as it came', (body) => {
  expect(decode({ ...body, node: 'a', pool: 'web', at: NOW })).toEqual({
    ok: true,
    value: { ...body, node: 'a', pool: 'web', atMs: NOW },
  })
})

test('what is left out is the default pool, the time of the record, and nothing', () => {
  expect(decode({ kind: 'reachability', node: 'a' })).toMatchObject({
    ok: true,
    value: { pool: 'default', atMs: NOW - 5, reachable: [], unreachable: [] },
  })
})

const claim = { kind: 'claim', node: 'a', about: 'b', claim: 'dead' }
test.each([
  { body: { ...claim, kind: 'rumour' }, reason: 'kind-unknown', detail: '`kind` is "rumour"' },
  { body: { ...claim, kind: 7 }, reason: 'kind-unknown', detail: '`kind` is a number' },
  { body: { ...claim, claim: 'late' }, reason: 'field-invalid', detail: '`claim`' },
  { body: { ...claim, node: '' }, reason: 'field-invalid', detail: '`node`' },
  { body: { ...claim, at: NOW + 3_600_000 }, reason: 'in-the-future', detail: 'ahead of the log' },
  {
    body: { kind: 'reachability', node: 'a', reachable: ['b'], unreachable: ['b'] },
    reason: 'field-invalid',
    detail: 'expected it in one list',
  },
  {
    body: {
      kind: 'reachability',
      node: 'a',
      reachable: Array.from({ length: 257 }, (_, i) => `n${i}`),
    },
    reason: 'field-invalid',
    detail: 'at most 256',
  },
  {
    body: { kind: 'reachability', node: 'a', reachable: ['b', 'c'], latenciesMs: [1] },
    reason: 'field-invalid',
    detail: '`latenciesMs`: expected one for each of `reachable`',
  },
  {
    body: { kind: 'reachability', node: 'a', reachable: ['b'], latenciesMs: [-1] },
    reason: 'field-invalid',
    detail: '`latenciesMs.0`',
  },
  {
    body: { ...claim, hopsLeft: 0 },
    reason: 'field-invalid',
    detail: '`hopsLeft`: expected 1 to 8',
  },
  {
    body: { ...claim, hopsLeft: 9 },
    reason: 'field-invalid',
    detail: '`hopsLeft`: expected 1 to 8',
  },
  {
    body: { kind: 'digest', node: 'a', object: 'o', version: '1', root: 'XYZ' },
    reason: 'field-invalid',
    detail: 'SHA-256',
  },
  { body: { ...HOLDING, node: 'a', digest: 'X' }, reason: 'field-invalid', detail: 'SHA-256' },
  { body: { ...HOLDING, node: 'a', block: -1 }, reason: 'field-invalid', detail: '`block`' },
  {
    body: { ...HOLDING, node: 'a', holds: [{ workload: 'w', versions: { e: 0.5 } }] },
    reason: 'field-invalid',
    detail: '`holds.0.versions.e`',
  },
  {
    body: {
      ...HOLDING,
      node: 'a',
      holds: Array.from({ length: 1_025 }, (_, i) => ({ workload: `w${i}`, versions: null })),
    },
    reason: 'field-invalid',
    detail: 'at most 1024 workloads',
  },
])('$body.kind is refused as $reason: $detail', ({ body, reason, detail }) => {
  const decoded = decode(body)
  expect(decoded).toMatchObject({ ok: false, reason })
  expect(decoded.ok ? '' : decoded.detail).toContain(detail)
})
