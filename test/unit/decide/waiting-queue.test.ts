import { expect, test } from 'vitest'
import type { IncidentId, NodeId, WorkloadId } from '../../../src/core/ids.ts'
import type { WaitingWorkload } from '../../../src/core/waiting.ts'
import type { Priority } from '../../../src/core/workload.ts'
import { WaitingQueue } from '../../../src/decide/waiting-queue.ts'

function waiting(workload: string, priority: Priority, sinceMs = 0): WaitingWorkload {
  return {
    workload: workload as WorkloadId,
    node: 'n' as NodeId,
    incidentId: 'i' as IncidentId,
    priority,
    needs: { cpu: 1, memoryBytes: 1, gpu: null },
    sinceMs,
    why: 'full',
  }
}

const names = (queue: WaitingQueue) => queue.inOrder().map(({ workload }) => workload)

test('the most urgent is first, and among equals who came first', () => {
  const queue = new WaitingQueue()
  queue.add(waiting('n1', 'NORMAL'))
  queue.add(waiting('l', 'LOW'))
  queue.add(waiting('c1', 'CRITICAL'))
  queue.add(waiting('n2', 'NORMAL'))
  queue.add(waiting('h', 'HIGH'))
  queue.add(waiting('c2', 'CRITICAL'))
  expect(names(queue)).toEqual(['c1', 'c2', 'h', 'n1', 'n2', 'l'])
})

test('one that asks again keeps its place and its time', () => {
  const queue = new WaitingQueue()
  queue.add(waiting('a', 'NORMAL', 1))
  queue.add(waiting('b', 'NORMAL', 2))
  expect(queue.add({ ...waiting('a', 'NORMAL', 9), why: 'still full' })).toBeNull()
  expect(queue.inOrder()[0]).toEqual({ ...waiting('a', 'NORMAL', 1), why: 'still full' })
})

test('one whose urgency changes stands where it would, had it always been so', () => {
  const queue = new WaitingQueue()
  queue.add(waiting('a', 'LOW', 1))
  queue.add(waiting('b', 'HIGH', 2))
  queue.add(waiting('a', 'HIGH', 3))
  expect(names(queue)).toEqual(['a', 'b'])
  expect(queue.count('LOW')).toBe(0)
  expect(queue.sinceMs()).toBe(1)
})

test('a full queue puts off the least urgent that came last, be it the newest itself', () => {
  const queue = new WaitingQueue(3)
  for (const name of ['l1', 'l2']) queue.add(waiting(name, 'LOW'))
  queue.add(waiting('n', 'NORMAL'))
  expect(queue.add(waiting('c', 'CRITICAL'))?.workload).toBe('l2')
  expect(queue.add(waiting('l3', 'LOW'))?.workload).toBe('l3')
  expect(names(queue)).toEqual(['c', 'n', 'l1'])
  expect(queue.size).toBe(3)
})

test('who is taken out leaves the others in order, and the time of the first is known', () => {
  const queue = new WaitingQueue()
  for (const [i, name] of ['a', 'b', 'c'].entries()) queue.add(waiting(name, 'NORMAL', i))
  expect(queue.remove('a' as WorkloadId)).toBe(true)
  expect(queue.remove('a' as WorkloadId)).toBe(false)
  expect(names(queue)).toEqual(['b', 'c'])
  expect(queue.sinceMs()).toBe(1)
  for (const name of ['b', 'c']) queue.remove(name as WorkloadId)
  expect(queue.sinceMs()).toBeNull()
})
