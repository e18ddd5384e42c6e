// Goal: what is told of a model beyond its ranking is what a count by hand gives.
import { expect, test } from 'vitest'
import type { NodeId, PoolId } from '../../../src/core/ids.ts'
import type { CardPart } from '../../../src/core/model.ts'
import { figuresOf } from '../../../training/figures.ts'
import type { HistoryEvent } from '../../../training/history.ts'
import { Lives } from '../../../training/labels.ts'

const HORIZON = 10

function lifeOf(id: string, pool: string, failures: readonly HistoryEvent[]): HistoryEvent[] {
  const node = id as NodeId
  const place = { zone: null, region: null, latitude: null, longitude: null }
  const capacity = { cpu: 0, memoryBytes: 0, gpu: null }
  const about = { class: 'c', pool: pool as PoolId, labels: {}, place, capacity }
  return [{ kind: 'join', node, atMs: 0, ...about }, ...failures]
}

const failure = (id: string, atMs: number, failureKind: string): HistoryEvent => ({
  kind: 'failure',
  node: id as NodeId,
  atMs,
  failureKind,
})
const leave = (id: string, atMs: number, knownUntilMs: number): HistoryEvent => ({
  kind: 'leave',
  node: id as NodeId,
  atMs,
  knownUntilMs,
})

const lives = new Lives(
  [
    ...lifeOf('a', 'left', [failure('a', 20, 'disk')]),
    ...lifeOf('b', 'right', [leave('b', 5, 30), failure('b', 30, 'fan')]),
  ],
  HORIZON,
  1_000,
)

/** Rows of a at 0, 12, 15, 40 and 50, and of b at 0 and 4; a fails at 20, b at 30. */
function rows(probabilities: readonly number[]) {
  const [a, b] = [lives.numberOf('a'), lives.numberOf('b')]
  return {
    lives,
    probabilities,
    intervalMs: 1,
    facts: {
      node: Uint32Array.of(a, a, a, a, a, b, b),
      atMs: Float64Array.of(0, 12, 15, 40, 50, 0, 4),
      labels: Uint8Array.of(0, 1, 1, 0, 0, 0, 0),
      failureAtMs: Float64Array.of(NaN, 20, 20, NaN, NaN, NaN, NaN),
    },
  }
}

const part = (name: string, more: Partial<CardPart>): CardPart => ({
  name,
  directory: name,
  target: 'failure',
  horizonMs: HORIZON,
  failureKind: null,
  ...more,
})

test.each([
  { at: [0, 0, 0.8, 0, 0, 0, 0], caught: 1, wrong: 0, because: 'one row of the failure is enough' },
  { at: [0, 0.79, 0.79, 0, 0, 0, 0], caught: 0, wrong: 0, because: 'nothing is at 0.8' },
  {
    at: [0.9, 0.9, 0, 0, 0, 0, 0],
    caught: 1,
    wrong: 0,
    because: 'a run that began early is right',
  },
  {
    at: [0.9, 0, 0.9, 0, 0, 0, 0],
    caught: 1,
    wrong: 1,
    because: 'a run that ended early is wrong',
  },
  { at: [0, 0, 0, 0.9, 0.9, 0, 0], caught: 0, wrong: 1, because: 'rows in a row are one episode' },
  { at: [0, 0, 0, 0, 0.9, 0.9, 0], caught: 0, wrong: 2, because: 'nodes have runs of their own' },
])('caught $caught, false $wrong: $because', ({ at, caught, wrong }) => {
  expect(figuresOf({ ...rows(at), parts: [] })).toMatchObject({
    failureCount: 1,
    caughtAtP8: caught,
    falseEpisodesAtP8: wrong,
    macroPrAuc: null,
    rulRmse: null,
  })
})

test('a part is ranked by the failures of its kind, and the kinds count alike', () => {
  const right = [0, 0.9, 0.8, 0, 0, 0, 0]
  const figures = figuresOf({
    ...rows(right),
    parts: [
      { part: part('of-disk', { failureKind: 'disk' }), scores: right },
      { part: part('of-fan', { failureKind: 'fan', horizonMs: 26 }), scores: right },
    ],
  })
  expect(figures.parts['of-disk']).toMatchObject({ positiveCount: 2, prAuc: 1 })
  // The fan of b fails at 30: of its rows that at 4 is positive, and tied with five others.
  expect(figures.parts['of-fan']).toMatchObject({ rowCount: 7, positiveCount: 1 })
  expect(figures.parts['of-fan'].prAuc).toBeCloseTo(1 / 7)
  expect(figures.macroPrAuc).toBeCloseTo((1 + 1 / 7) / 2)
})

test('the remaining life is judged at the last row of nodes cut off alive, by pool too', () => {
  const used = [0, 0, 0, 0, 0, 0, 0.5]
  const remaining = part('rest', { target: 'remaining', horizonMs: 20 })
  const figures = figuresOf({
    ...rows(used),
    parts: [{ part: remaining, scores: used }],
  })
  // b has 26 left at its last row, which the cap makes 20; ten are said.
  expect(figures).toMatchObject({ rulRmse: 16, rulCappedRmse: 10, rulNodeCount: 1, parts: {} })
  expect(figures.pools).toMatchObject({
    left: { rowCount: 5, positiveCount: 2, rulRmse: null },
    right: { rowCount: 2, positiveCount: 0, rulRmse: 16 },
  })
})
