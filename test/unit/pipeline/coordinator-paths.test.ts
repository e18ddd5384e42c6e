// Goal: ways go over links that nodes have measured and over nodes that live, and work goes near to its own.
import { expect, test } from 'vitest'
import type { NodeId, WorkloadId } from '../../../src/core/ids.ts'
import { asText, CoordinatorWorld, POOL } from '../../support/coordinator-world.ts'
import { measured } from '../../support/measured.ts'

/** a - b - d is fastest, a - c - d the way around, a - d is slow. */
function square(): CoordinatorWorld {
  const world = new CoordinatorWorld({ policy: { budgetRatio: 1, sharedCauseNodesMin: 1_000 } })
  for (const node of ['a', 'b', 'c', 'd']) world.join(node)
  measured(world, 'a', { b: 1, c: 2, d: 50 })
  measured(world, 'd', { b: 1, c: 2 })
  return world
}

test('the fastest way and two that share no node are found, and others once a node of them fails', () => {
  const world = square()
  expect(world.paths('a', 'd')).toEqual({
    pool: POOL,
    from: 'a',
    to: 'd',
    atMs: world.nowMs,
    shortest: { nodes: ['a', 'b', 'd'], latencyMs: 2 },
    pair: {
      disjoint: 'nodes',
      paths: [
        { nodes: ['a', 'b', 'd'], latencyMs: 2 },
        { nodes: ['a', 'c', 'd'], latencyMs: 4 },
      ],
    },
  })
  world.fail('b')
  expect(world.paths('a', 'd')).toMatchObject({
    shortest: { nodes: ['a', 'c', 'd'] },
    pair: { paths: [{ nodes: ['a', 'c', 'd'] }, { nodes: ['a', 'd'], latencyMs: 50 }] },
  })
  world.silent('c')
  expect(world.paths('a', 'd')).toMatchObject({ shortest: { nodes: ['a', 'd'] }, pair: null })
  world.after(300_001)
  expect(world.paths('a', 'd')).toMatchObject({ shortest: null, pair: null })
  expect(world.paths('a', 'nobody')).toBeNull()
})

test('a node that left takes its measurements with it', () => {
  const world = square()
  world.fact({ kind: 'leave', node: 'a' as NodeId, atMs: world.nowMs })
  expect(world.stats()).toMatchObject({ latencyCount: 2, latencyReportsLeftOut: 0 })
})

test('work goes near to what it depends on, and the decision says so', () => {
  const world = square()
  world.after(1)
  measured(world, 'd', { b: 9, c: 9 })
  world.place('db', 'd')
  world.place('shop', 'a', {
    dependsOn: ['db' as WorkloadId],
    needs: { cpu: 2, memoryBytes: 1, gpu: null },
  })
  world.fail('a')
  world.carryOut(world.commands('fence').at(-1)!)
  const [command] = world.commands('recover')
  expect(command.target).toBe('d')
  expect(command.reasons.at(-1)).toContain('0 ms from node d, where what it depends on runs')
  expect(asText(world.refold())).toEqual(asText(world.outputs))
})

test('where nothing was measured, coordinates say what is near', () => {
  const world = new CoordinatorWorld({ policy: { budgetRatio: 1 } })
  const at = (node: string, latitude: number) => {
    world.join(node)
    world.fact({
      kind: 'join',
      node: node as NodeId,
      atMs: world.nowMs,
      class: 'server',
      pool: POOL,
      labels: {},
      place: { zone: null, region: null, latitude, longitude: 0 },
      capacity: { cpu: 16, memoryBytes: 64e9, gpu: null },
    })
  }
  at('old', 0)
  at('far', 60)
  at('near', 1)
  world.place('w', 'old', { stateBytes: 1e9 })
  world.risky('old')
  const [command] = world.commands('migrate')
  expect(command.target).toBe('near')
  expect(command.reasons.at(-1)).toContain('1.11 ms from node old, where its state comes from')
})
