import { expect, test } from 'vitest'
import type { NodeId, PoolId, WorkloadId } from '../../../src/core/ids.ts'
import type { Placement } from '../../../src/core/workload.ts'
import { PlacementLedger } from '../../../src/decide/ledger.ts'

const [A, B, C] = ['a', 'b', 'c'] as unknown as readonly [NodeId, NodeId, NodeId]
const W = 'w' as WorkloadId

function placement(node: NodeId | null, cpu = 2): Placement {
  return {
    workload: W,
    node,
    pool: 'p' as PoolId,
    priority: 'NORMAL',
    needs: { cpu, memoryBytes: 10, gpu: { model: 'h100', count: 1, interconnect: null } },
    stateBytes: 0,
    dependsOn: [],
  }
}

test('a placement loads its node and unloads the one before', () => {
  const ledger = new PlacementLedger()
  ledger.place(placement(A))
  expect(ledger.load(A)).toMatchObject({ cpu: 2, memoryBytes: 10, gpuCount: 1 })
  ledger.place(placement(B))
  expect(ledger.load(A)).toMatchObject({ cpu: 0, memoryBytes: 0, gpuCount: 0 })
  expect([...ledger.workloadsOn(A)]).toEqual([])
  expect([...ledger.workloadsOn(B)]).toEqual([W])
})

test('a reservation takes room at the target and does not move the workload', () => {
  const ledger = new PlacementLedger()
  ledger.place(placement(A))
  ledger.reserve(W, B)
  expect(ledger.load(B).cpu).toBe(2)
  expect([...ledger.workloadsOn(B)]).toEqual([])
  expect(ledger.get(W)!.node).toBe(A)
  expect(ledger.isReserved(W)).toBe(true)
  ledger.place(placement(B))
  expect(ledger.isReserved(W)).toBe(false)
})

test('the placement at the target takes the reserved room, and counts once', () => {
  const ledger = new PlacementLedger()
  ledger.place(placement(A))
  ledger.reserve(W, B)
  ledger.place(placement(B))
  expect(ledger.load(B).cpu).toBe(2)
  ledger.unreserve(W)
  expect(ledger.load(B).cpu).toBe(2)
})

test('new needs change the room that is reserved', () => {
  const ledger = new PlacementLedger()
  ledger.place(placement(A))
  ledger.reserve(W, B)
  ledger.place(placement(A, 5))
  expect([ledger.load(A).cpu, ledger.load(B).cpu]).toEqual([5, 5])
  ledger.unreserve(W)
  expect([ledger.load(A).cpu, ledger.load(B).cpu]).toEqual([5, 0])
})

test('a second reservation replaces the first', () => {
  const ledger = new PlacementLedger()
  ledger.place(placement(A))
  ledger.reserve(W, B)
  ledger.reserve(W, C)
  expect([ledger.load(B).cpu, ledger.load(C).cpu]).toEqual([0, 2])
})

test('a workload that runs nowhere loads nothing, and an unknown one cannot be reserved', () => {
  const ledger = new PlacementLedger()
  ledger.place(placement(A))
  ledger.place(placement(null))
  ledger.reserve('other' as WorkloadId, B)
  expect([ledger.load(A).cpu, ledger.load(B).cpu]).toEqual([0, 0])
  expect(ledger.workloadCount).toBe(1)
})
