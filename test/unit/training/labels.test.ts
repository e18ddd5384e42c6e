import { expect, test } from 'vitest'
import type { NodeId, PoolId } from '../../../src/core/ids.ts'
import type { HistoryEvent } from '../../../training/history.ts'
import { Lives } from '../../../training/labels.ts'

const node = 'n' as NodeId
const HORIZON = 30
const END = 1_000

function labelAt(events: readonly HistoryEvent[], atMs: number) {
  const lives = new Lives(events, HORIZON, END)
  return lives.labelOf(lives.numberOf(node), atMs)
}

const failure = (atMs: number, failureKind = 'disk'): HistoryEvent => ({
  kind: 'failure',
  node,
  atMs,
  failureKind,
})
const leave = (atMs: number, knownUntilMs = atMs): HistoryEvent => ({
  kind: 'leave',
  node,
  atMs,
  knownUntilMs,
})
const done = (kind: 'moved' | 'returned', atMs: number): HistoryEvent => ({ kind, node, atMs })
const join = (atMs: number, onlyFit = false): HistoryEvent => ({
  kind: 'join',
  node,
  atMs,
  class: 'c',
  pool: 'p' as PoolId,
  labels: {},
  place: { zone: null, region: null, latitude: null, longitude: null },
  capacity: { cpu: 0, memoryBytes: 0, gpu: null },
  onlyFit,
})

test.each([
  { events: [failure(100)], at: 70, kind: 'positive', because: 'it fails exactly a horizon later' },
  { events: [failure(100)], at: 99, kind: 'positive', because: 'it fails at once' },
  { events: [failure(100)], at: 69, kind: 'negative', because: 'it fails a little too late' },
  { events: [leave(100)], at: 70, kind: 'negative', because: 'it was watched for a whole horizon' },
  { events: [leave(100)], at: 71, kind: 'unknown', because: 'it left before the horizon was over' },
  { events: [], at: 970, kind: 'negative', because: 'the history lasts a whole horizon' },
  { events: [], at: 971, kind: 'unknown', because: 'the history ends before' },
  {
    events: [failure(50), failure(200)],
    at: 180,
    kind: 'positive',
    because: 'its second life fails',
  },
  {
    events: [failure(50), leave(500)],
    at: 50,
    kind: 'negative',
    because: 'the failure at that time is over',
  },
  {
    events: [leave(100), failure(150)],
    at: 120,
    kind: 'unknown',
    because: 'nobody watched when it failed',
  },
  {
    events: [leave(100, 150), failure(150)],
    at: 120,
    kind: 'positive',
    because: 'its failure is known though its telemetry ended',
  },
  {
    events: [leave(100, 150), failure(150)],
    at: 119,
    kind: 'negative',
    because: 'it is known to fail later than that',
  },
  {
    events: [leave(100, 125)],
    at: 96,
    kind: 'unknown',
    because: 'how it fared is known for less than a horizon',
  },
  {
    events: [leave(100), join(300), failure(400)],
    at: 375,
    kind: 'positive',
    because: 'it came back and fails',
  },
  {
    events: [done('moved', 100), done('returned', 200)],
    at: 70,
    kind: 'moved',
    because: 'work was moved off it within the horizon',
  },
  {
    events: [done('moved', 100), done('returned', 200)],
    at: 69,
    kind: 'negative',
    because: 'the horizon was over before work was moved',
  },
  {
    events: [done('moved', 100), done('returned', 200)],
    at: 201,
    kind: 'negative',
    because: 'work was on it again',
  },
  {
    events: [done('moved', 100), failure(110)],
    at: 90,
    kind: 'positive',
    because: 'the failure came although work was moved',
  },
  {
    events: [done('moved', 100), failure(110), join(120)],
    at: 130,
    kind: 'negative',
    because: 'the next life begins with work on it',
  },
  {
    events: [done('moved', 100)],
    at: 500,
    kind: 'moved',
    because: 'it was never let back',
  },
])('at $at a row is $kind when $because', ({ events, at, kind }) => {
  expect(labelAt(events, at).kind).toBe(kind)
})

test('a failure counts for its kind, and one of another kind does not end a life before it', () => {
  const lives = new Lives([failure(100), failure(120, 'fan')], HORIZON, END)
  const number = lives.numberOf(node)
  expect(lives.labelOf(number, 95, HORIZON, 'fan')).toEqual({ kind: 'positive', failureAtMs: 120 })
  expect(lives.labelOf(number, 95, HORIZON, 'disk')).toEqual({ kind: 'positive', failureAtMs: 100 })
  expect(lives.labelOf(number, 105, HORIZON, 'disk').kind).toBe('negative')
})

test('each life says whether it is for learning only, and the node whether it was cut off', () => {
  const lives = new Lives([join(10, true), leave(50), join(60), failure(90)], HORIZON, END)
  const number = lives.numberOf(node)
  expect([10, 49, 60, 89].map((atMs) => lives.isOnlyFit(number, atMs))).toEqual([
    true,
    true,
    false,
    false,
  ])
  expect([lives.wasCutOff(number), lives.poolOf(number)]).toEqual([true, 'p'])
})
