import { expect, test } from 'vitest'
import type { NodeId } from '../../../src/core/ids.ts'
import type { HistoryEvent } from '../../../training/history.ts'
import { Lives } from '../../../training/labels.ts'

const node = 'n' as NodeId
const HORIZON = 30
const END = 1_000

function labelAt(events: readonly HistoryEvent[], atMs: number) {
  const lives = new Lives(events, HORIZON, END)
  return lives.labelOf(lives.numberOf(node), atMs)
}

const failure = (atMs: number): HistoryEvent => ({
  kind: 'failure',
  node,
  atMs,
  failureKind: 'disk',
})
const leave = (atMs: number): HistoryEvent => ({ kind: 'leave', node, atMs })

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
])('at $at a row is $kind when $because', ({ events, at, kind }) => {
  expect(labelAt(events, at).kind).toBe(kind)
})
