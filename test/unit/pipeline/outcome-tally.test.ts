// Goal: each scored row gets the outcome that its node had within the horizon, and no other.
import { expect, test } from 'vitest'
import { scoreBin } from '../../../src/core/model-life.ts'
import type { NodeId } from '../../../src/core/ids.ts'
import { MovedNodes } from '../../../src/pipeline/moved-nodes.ts'
import { FOLLOWED_NODES_MAX, OutcomeTally } from '../../../src/pipeline/outcome-tally.ts'

const MINUTE_MS = 60_000
const START_MS = 1_763_600_040_000

interface TallyOptions {
  paired?: boolean
  horizonMs?: number
  moved?: MovedNodes
  movedWeight?: number
}

function tallyOf(more: TallyOptions = {}): OutcomeTally {
  const { paired = true, horizonMs = 10 * MINUTE_MS } = more
  const { moved = new MovedNodes(), movedWeight = 0 } = more
  const rules = { horizonMs, intervalMs: MINUTE_MS, actingPoint: 0.5 }
  return new OutcomeTally({ ...rules, paired, moved, movedWeight })
}

/** Every horizon of the tests is over by then. */
const LATER_MS = START_MS + 10_000 * MINUTE_MS

const at = (minute: number) => START_MS + minute * MINUTE_MS

test('a failure takes the highest probability of its last horizon, of each model', () => {
  const tally = tallyOf()
  for (let minute = 0; minute <= 30; minute++) {
    // An alarm of the champion that was too early, and one of the challenger in time.
    tally.note(0, at(minute), minute === 15 ? 0.9 : 0.1, minute === 27 ? 0.8 : 0.2)
  }
  tally.failed(0, at(30) + 1)
  const counts = tally.take(LATER_MS)!
  expect(counts.failures).toHaveLength(1)
  expect(counts.failures[0].champion).toBeCloseTo(0.1)
  expect(counts.failures[0].challenger).toBeCloseTo(0.8)
  expect(counts.failures[0].leadMs).toBeNull()
  // Ten rows of the last horizon count as a failure ahead, 21 as none; all are known.
  expect(counts.rowCount).toBe(31)
  expect(counts.exposureMs).toBe(21 * MINUTE_MS)
  const quiet = Object.values(counts.quiet.champion).reduce((sum, count) => sum + count, 0)
  expect(counts.quiet.champion[scoreBin(0.9)]).toBe(1)
  expect(quiet).toBeGreaterThanOrEqual(3)
  expect(tally.take(LATER_MS)).toBeNull()
})

test('the lead is that of the first row at the acting point', () => {
  const tally = tallyOf()
  for (let minute = 0; minute < 8; minute++) tally.note(3, at(minute), minute < 3 ? 0.1 : 0.7, 0)
  tally.failed(3, at(8))
  expect(tally.take(LATER_MS)!.failures[0].leadMs).toBe(5 * MINUTE_MS)
})

test('rows made after the failure, before it was known, are no foresight', () => {
  const tally = tallyOf()
  for (let minute = 0; minute < 5; minute++) tally.note(0, at(minute), 0.1, 0.1)
  for (let minute = 5; minute < 8; minute++) tally.note(0, at(minute), 0.99, 0.99)
  tally.failed(0, at(5))
  const { failures, rowCount } = tally.take(LATER_MS)!
  expect(failures[0].champion).toBeCloseTo(0.1)
  expect(rowCount).toBe(5)
})

test('squared errors are those of the rows whose outcome is known', () => {
  const tally = tallyOf({ paired: false })
  tally.note(0, at(0), 0.25, 0)
  tally.failed(0, at(1))
  const { squaredErrors, rowCount } = tally.take(LATER_MS)!
  expect([rowCount, squaredErrors.champion]).toEqual([1, 0.75 ** 2])
})

test('what becomes of a node that left is not known, and its index may serve another', () => {
  const tally = tallyOf()
  for (let minute = 0; minute < 5; minute++) tally.note(0, at(minute), 0.9, 0.9)
  tally.uncertain(0)
  expect(tally.take(LATER_MS)).toBeNull()
  tally.failed(0, at(6))
  expect(tally.take(LATER_MS)).toMatchObject({ failures: [], unscoredFailureCount: 1 })
})

test('a long horizon is kept in blocks: no alarm of the last horizon is lost', () => {
  const tally = tallyOf({ horizonMs: 24 * 60 * MINUTE_MS })
  for (let minute = 0; minute < 3_000; minute++) {
    tally.note(1, at(minute), minute === 1_700 ? 0.9 : 0.1, 0.1)
  }
  tally.failed(1, at(3_000))
  const { failures, exposureMs } = tally.take(LATER_MS)!
  expect(failures[0].champion).toBeCloseTo(0.9)
  const hours = exposureMs / 3_600_000
  expect(hours).toBeGreaterThan(24)
  expect(hours).toBeLessThan(27)
})

test('only so many nodes are followed', () => {
  const tally = tallyOf()
  tally.note(FOLLOWED_NODES_MAX, at(0), 0.9, 0.9)
  tally.failed(FOLLOWED_NODES_MAX, at(1))
  expect(tally.take(LATER_MS)).toMatchObject({ failures: [], unscoredFailureCount: 1 })
})

test('a failure waits for the horizon, as quiet rows do: neither is known without the other', () => {
  const tally = tallyOf()
  for (let minute = 0; minute <= 20; minute++) {
    for (const index of [0, 1]) tally.note(index, at(minute), 0.9, 0.9)
  }
  tally.failed(0, at(20) + 1)
  // By now only rows up to ten minutes ago may count, and those are quiet, of both nodes.
  expect(tally.take(at(20))).toMatchObject({ failures: [] })
  for (let minute = 21; minute <= 29; minute++) tally.note(1, at(minute), 0.9, 0.9)
  const between = tally.take(at(29))!
  expect(between.failures).toEqual([])
  expect(between.rowCount).toBeGreaterThan(10)
  tally.note(1, at(32), 0.9, 0.9)
  expect(tally.take(at(32))!.failures).toHaveLength(1)
})

/** Node 0 alarms at minute 20, its work is off it until minute 25, and nothing comes of it. */
function movedInTime(movedWeight: number) {
  const moved = new MovedNodes()
  const tally = tallyOf({ moved, movedWeight })
  const node = 'n0' as NodeId
  for (let minute = 0; minute <= 60; minute++) {
    if (minute === 21) moved.note(0, { kind: 'moved', node, atMs: at(21) })
    if (minute === 25) moved.note(0, { kind: 'returned', node, atMs: at(25) })
    tally.note(0, at(minute), minute === 20 ? 0.9 : 0.1, 0.1)
  }
  return { moved, tally }
}

const sumOf = (counts: object) =>
  Object.values(counts).reduce<number>((sum, count) => sum + Number(count), 0)

test('rows of a node that was moved in time are no false alarms where they are excluded', () => {
  const { tally } = movedInTime(0)
  const { quiet, rowCount, exposureMs, movedRowCount } = tally.take(LATER_MS)!
  // Those of minutes 11 to 25: a horizon that touches the time without work.
  expect(movedRowCount).toBe(15)
  expect(quiet.champion[scoreBin(0.9)]).toBeUndefined()
  expect(exposureMs).toBe(rowCount * MINUTE_MS)
  const whole = tallyOf()
  for (let minute = 0; minute <= 60; minute++) whole.note(0, at(minute), 0.1, 0.1)
  expect(whole.take(LATER_MS)!.rowCount - rowCount).toBe(15)
})

test('or they count a share', () => {
  const { tally } = movedInTime(0.25)
  const { quiet, rowCount, movedRowCount, squaredErrors } = tally.take(LATER_MS)!
  expect(movedRowCount).toBe(15)
  expect(quiet.champion[scoreBin(0.9)]).toBe(0.25)
  expect(rowCount % 1).toBeCloseTo(0.75)
  // One row at 0.9, the rest at 0.1.
  expect(squaredErrors.champion).toBeCloseTo(0.25 * 0.81 + (rowCount - 0.25) * 0.01)
  expect(sumOf(quiet.champion)).toBeLessThan(5)
})

test('a failure that came although work was moved is known, and counts whole', () => {
  const { moved, tally } = movedInTime(0)
  moved.note(0, { kind: 'moved', node: 'n0' as NodeId, atMs: at(58) })
  tally.take(LATER_MS)
  tally.failed(0, at(61))
  const counts = tally.take(LATER_MS)!
  expect(counts.failures).toHaveLength(1)
  expect(counts.rowCount).toBeGreaterThanOrEqual(10)
})

test('only so many spells are remembered, and none twice', () => {
  const moved = new MovedNodes()
  const node = 'n0' as NodeId
  for (let spell = 0; spell < 6; spell++) {
    moved.note(0, { kind: 'moved', node, atMs: at(10 * spell) })
    moved.note(0, { kind: 'moved', node, atMs: at(10 * spell + 1) })
    moved.note(0, { kind: 'returned', node, atMs: at(10 * spell + 2) })
    moved.note(0, { kind: 'returned', node, atMs: at(10 * spell + 9) })
  }
  const touched = [0, 1, 2, 3, 4, 5].map((n) => moved.touches(0, at(10 * n), at(10 * n)))
  expect(touched).toEqual([false, false, true, true, true, true])
  expect(moved.touches(0, at(53), at(100))).toBe(false)
  moved.forget(0)
  expect(moved.touches(0, at(0), at(60))).toBe(false)
})
