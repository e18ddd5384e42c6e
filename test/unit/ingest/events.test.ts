import { expect, test } from 'vitest'
import { toBytes } from '../../../src/core/bytes.ts'
import { decodeNodeEvent } from '../../../src/ingest/events.ts'
import { NOW_MS, nodeClasses } from './case.ts'

function decode(body: unknown, headers: Readonly<Record<string, string>> = {}) {
  const common = { nodeClasses, defaultClass: 'server', nowMs: NOW_MS, appendedAtMs: NOW_MS - 9 }
  return decodeNodeEvent(toBytes(JSON.stringify(body)), { ...common, headers })
}

const nowhere = { zone: null, region: null, latitude: null, longitude: null }
const nothing = { cpu: 0, memoryBytes: 0, gpu: null }

test.each([
  {
    body: { kind: 'join', node: 'a' },
    event: {
      kind: 'join',
      node: 'a',
      atMs: NOW_MS - 9,
      class: 'server',
      pool: 'default',
      labels: {},
      place: nowhere,
      capacity: nothing,
    },
    because: 'everything but the name has a default',
  },
  {
    body: {
      type: 'join',
      node: 'd',
      at: '1970-01-01T00:00:01Z',
      class: 'drive',
      labels: { pool: 'cold', size_tb: 4 },
      place: { zone: 'z', latitude: 50.1, longitude: 8.7 },
      capacity: { cpu: 8, memoryBytes: 1, gpu: { model: 'h', count: 2 } },
    },
    event: {
      kind: 'join',
      node: 'd',
      atMs: 1_000,
      class: 'drive',
      pool: 'cold',
      labels: { pool: 'cold', size_tb: '4' },
      place: { zone: 'z', region: null, latitude: 50.1, longitude: 8.7 },
      capacity: { cpu: 8, memoryBytes: 1, gpu: { model: 'h', count: 2, interconnect: null } },
    },
    because: 'the pool is a label, and labels are text',
  },
  {
    body: { kind: 'failure', node: 'a', atMs: 5, failureKind: 'disk' },
    event: { kind: 'failure', node: 'a', atMs: 5, failureKind: 'disk' },
    because: 'it has the shape of core',
  },
  {
    body: { type: 'failure', node: 'a', at: 5, kind: 'disk' },
    event: { kind: 'failure', node: 'a', atMs: 5, failureKind: 'disk' },
    because: '`kind` may be the kind of failure',
  },
  {
    body: { kind: 'labels', node: 'a', at: 5, labels: { pool: null, rack: 'r2' } },
    event: { kind: 'labels', node: 'a', atMs: 5, labels: { pool: null, rack: 'r2' } },
    because: 'null removes a label',
  },
  {
    body: { kind: 'heartbeat', node: 'a', at: 5 },
    event: { kind: 'heartbeat', node: 'a', atMs: 5, component: null },
    because: 'a heartbeat may be of the node itself',
  },
  {
    body: { kind: 'error', node: 'a', at: 5, code: 17 },
    event: { kind: 'error', node: 'a', atMs: 5, code: '17' },
    because: 'codes are text',
  },
  {
    body: { kind: 'maintenance', node: 'a', at: 5, until: '2099-01-01T00:00:00Z' },
    event: { kind: 'maintenance', node: 'a', atMs: 5, untilMs: Date.UTC(2099, 0) },
    because: 'a window may end far in the future',
  },
])('$body is taken, because $because', ({ body, event }) => {
  expect(decode(body)).toEqual({ ok: true, value: event })
})

test('the name of an event may stand in its CloudEvents type', () => {
  const decoded = decode({ node: 'a', at: 5, kind: 'fan' }, { ce_type: 'foreshock.event.failure' })
  expect(decoded).toEqual({
    ok: true,
    value: { kind: 'failure', node: 'a', atMs: 5, failureKind: 'fan' },
  })
})

test.each([
  {
    body: { kind: 'join', node: 'a', labels: { pool: '' } },
    detail: '`labels`: label `pool` cannot name a pool',
  },
  {
    body: { kind: 'join', node: 'a', place: { latitude: 91 } },
    detail: '`place.latitude`: Too big: expected number to be <=90',
  },
  {
    body: { kind: 'maintenance', node: 'a', at: 1, until: 'later' },
    detail: '`untilMs`: expected ms since 1970 or an RFC 3339 time',
  },
  {
    body: { kind: 'labels', node: 'a', at: 1 },
    detail: '`labels`: Invalid input: expected record, received undefined',
  },
])('$body is refused: $detail', ({ body, detail }) => {
  expect(decode(body)).toEqual({ ok: false, reason: 'field-invalid', detail })
})
