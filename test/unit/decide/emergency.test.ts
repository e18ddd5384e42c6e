import { expect, test } from 'vitest'
import { DEFAULT_EMERGENCY } from '../../../src/core/emergency.ts'
import {
  CALM,
  countEmergency,
  declareEmergency,
  type EmergencyState,
} from '../../../src/decide/emergency.ts'

const RULES = { ...DEFAULT_EMERGENCY, leaveAfterMs: 60_000 }

/** Failing nodes at each half minute, and whether an emergency stands after each; `?` is uncertain. */
function standing(counts: readonly (number | string)[], nodeCount: number): string {
  let state: EmergencyState = CALM
  return counts
    .map((count, i) => {
      const certain = typeof count === 'number'
      const failingCount = certain ? count : Number(count.slice(0, -1))
      state = countEmergency(state, { nodeCount, failingCount, certain }, RULES, i * 30_000)
      return state.standing === null ? '-' : 'E'
    })
    .join('')
}

test.each([
  { counts: [0, 33, 34], nodes: 100, seen: '--E', because: 'more than a third, not just a third' },
  { counts: [1, 2], nodes: 3, seen: '-E', because: 'one of three is an incident' },
  { counts: [1, 2], nodes: 2, seen: '-E', because: 'both of two are not' },
  {
    counts: [40, 25, 25, 25, 25],
    nodes: 100,
    seen: 'EEEEE',
    because: 'between the limits it stays',
  },
  { counts: [40, 20, 20, 20], nodes: 100, seen: 'EEE-', because: 'calm for a minute ends it' },
  {
    counts: [40, 20, 21, 20, 20, 20],
    nodes: 100,
    seen: 'EEEEE-',
    because: 'the minute begins anew',
  },
  {
    counts: [40, '0?', '0?', '0?', '0?'],
    nodes: 100,
    seen: 'EEEEE',
    because: 'what we do not see is not known to be well',
  },
  { counts: [0, 0], nodes: 0, seen: '--', because: 'a pool without nodes is calm' },
])('$counts of $nodes: $seen, because $because', ({ counts, nodes, seen }) => {
  expect(standing(counts, nodes)).toBe(seen)
})

const MANY = { nodeCount: 10, failingCount: 5, certain: true }
const FEW = { nodeCount: 10, failingCount: 1, certain: true }

test('what a person declared stands however few fail, until a person ends it', () => {
  let state = declareEmergency(CALM, 'drill (by ada)', 1_000)
  state = countEmergency(state, FEW, RULES, 2_000)
  state = countEmergency(state, FEW, RULES, 9_000_000)
  expect(state.standing).toMatchObject({ sinceMs: 1_000, said: 'drill (by ada)' })
  expect(declareEmergency(state, null, 9_000_000).standing).toBeNull()
})

test('one that a person ended does not begin again before the pool has been well once', () => {
  let state = countEmergency(CALM, MANY, RULES, 0)
  state = declareEmergency(state, null, 1_000)
  state = countEmergency(state, MANY, RULES, 2_000)
  expect(state.standing).toBeNull()
  state = countEmergency(state, FEW, RULES, 3_000)
  state = countEmergency(state, MANY, RULES, 4_000)
  expect(state.standing).toMatchObject({ sinceMs: 4_000, said: null })
})

test('a person makes a counted one their own, which keeps its beginning', () => {
  const counted = countEmergency(CALM, MANY, RULES, 5_000)
  expect(declareEmergency(counted, 'ours', 9_000).standing).toEqual({
    sinceMs: 5_000,
    said: 'ours',
    calmSinceMs: null,
  })
})
