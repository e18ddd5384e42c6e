// Goal: a large fleet that is first seen at once is written bit by bit, and nobody in trouble waits behind it.
import { expect, test } from 'vitest'
import type { Assessment } from '../../../src/core/assessment.ts'
import type { Output } from '../../../src/core/bus.ts'
import type { NodeId } from '../../../src/core/ids.ts'
import { CoordinatorWorld, MODEL, POOL } from '../../support/coordinator-world.ts'
import { textOf } from '../../support/output.ts'

const NODES = 4_000

function sighted(world: CoordinatorWorld, more: Partial<Assessment> = {}): readonly Output[] {
  const rows = Array.from({ length: NODES }, (_, i): Assessment => ({
    node: `n${i}` as NodeId,
    pool: POOL,
    class: 'server',
    liveness: 'live',
    lastSeenAtMs: world.nowMs,
    silentForMs: 0,
    health: 0.9,
    probability: 0.01,
    trigger: 'change',
    top: [],
    ...more,
  }))
  const record = { source: 0, atMs: world.nowMs, model: MODEL, late: false, rows }
  return world.feed('assessment', record)
}

function written(outputs: readonly Output[]): readonly string[] {
  return outputs.filter(({ topic }) => topic === 't.nodes').map(({ key }) => String(key))
}

test('first sights are paced by the log, each is written once, and a failing node at once', () => {
  const world = new CoordinatorWorld()
  const told = [...written(sighted(world))]
  expect(told).toHaveLength(1_000)
  world.risky(`n${NODES - 1}`)
  expect(written(world.last)).toContain(`n${NODES - 1}`)
  told.push(...written(world.last))
  world.fail(`n${NODES - 2}`)
  expect(written(world.last)).toContain(`n${NODES - 2}`)
  told.push(...written(world.last))
  for (let second = 0; second < 3; second++) told.push(...written(world.after(1_000)))
  expect(new Set(told).size).toBe(NODES)
  expect(written(world.after(1_000))).toEqual([])
})

test('a node that is well again is not left looking ill behind others that wait', () => {
  const world = new CoordinatorWorld()
  world.risky('ill')
  sighted(world)
  world.assess('ill', { probability: 0.01 })
  const records = world.last.filter(({ topic, key }) => topic === 't.nodes' && key === 'ill')
  const newest = JSON.parse(textOf(records.at(-1)!.value)) as { alarming: boolean }
  expect(newest.alarming).toBe(false)
})
