// Goal: each part that works worse than it should is named, with when that began, until it is over.
import { expect, test } from 'vitest'
import { DEGRADED_NAMES } from '../../../src/core/degraded.ts'
import type { GuardFigures } from '../../../src/core/guard.ts'
import { DegradedModes } from '../../../src/resilience/degraded.ts'

const RULES = { commitSlowMs: 1_000, recorderBehindMs: 60_000, modelRetryMs: 100_000 }

function modesAt(clock: { nowMs: number }) {
  const modes = new DegradedModes(RULES, () => clock.nowMs)
  const names = (guards: readonly GuardFigures[] = []) =>
    modes.modes(guards).map(({ mode, sinceMs }) => `${mode}@${sinceMs}`)
  return { modes, names }
}

const guard = (target: string, failingSinceMs: number | null): GuardFigures => {
  return { target, state: 'closed', failingSinceMs, lastError: 'it answered 500', calls: {} }
}

test('nothing is degraded at first, and every mode says what is lost', () => {
  const clock = { nowMs: 5_000 }
  const { modes, names } = modesAt(clock)
  expect(names([guard('webhook', null), guard('history', null), guard('peer x', 7)])).toEqual([])
  for (const mode of DEGRADED_NAMES) modes.set(mode, 'told')
  const all = modes.modes([guard('alertmanager', 9), guard('history', 8)])
  // What is watched is not told from outside.
  expect(all.map(({ mode }) => mode)).toEqual(
    DEGRADED_NAMES.filter((mode) => mode !== 'inference-down' && mode !== 'broker-slow'),
  )
  for (const { lost, detail } of all) expect(lost.length * detail.length).toBeGreaterThan(0)
})

test('pages count as undelivered since the first receiver began to fail', () => {
  const { modes, names } = modesAt({ nowMs: 100 })
  const guards = [guard('alertmanager', 30), guard('webhook', 20)]
  expect(names(guards)).toEqual(['pages-undelivered@20'])
  expect(modes.modes(guards)[0]?.detail).toBe('webhook: it answered 500')
})

test('a slow broker is half of the transactions of the last minute, and ends with them', () => {
  const clock = { nowMs: 0 }
  const { modes, names } = modesAt(clock)
  for (const elapsedMs of [2_000, 2_000, 2_000, 10]) modes.committed(elapsedMs)
  expect(names()).toEqual([])
  clock.nowMs = 10
  modes.committed(10)
  expect(names()).toEqual(['broker-slow@10'])
  clock.nowMs = 50
  for (let commit = 0; commit < 4; commit++) modes.committed(10)
  expect(names()).toEqual([])
  for (let commit = 0; commit < 20; commit++) modes.committed(5_000)
  clock.nowMs = 60_050
  expect(names()).toEqual(['broker-slow@60050'])
  clock.nowMs = 60_051
  expect(names()).toEqual([])
})

test('a watcher without its model is down from the first try until it has not failed for a while', () => {
  const clock = { nowMs: 1_000 }
  const { modes, names } = modesAt(clock)
  modes.modelMissing('model a is in no store')
  clock.nowMs = 90_000
  modes.modelMissing('model a is in no store')
  clock.nowMs = 190_000
  expect(names()).toEqual(['inference-down@1000'])
  clock.nowMs = 190_001
  expect(names()).toEqual([])
  modes.modelMissing('model b is in no store')
  expect(names()).toEqual(['inference-down@190001'])
})

test('a recorder is behind over its limit, from when it was seen', () => {
  const clock = { nowMs: 1_000 }
  const { modes, names } = modesAt(clock)
  modes.recorded(60_000)
  expect(names()).toEqual([])
  modes.recorded(60_001)
  clock.nowMs = 2_000
  modes.recorded(90_000)
  expect(names()).toEqual(['recorder-behind@1000'])
  modes.recorded(0)
  expect(names()).toEqual([])
})
