// Goal: what was on its way when a node ended does not bring it back; what came after does.
import { expect, test } from 'vitest'
import type { NodeId, PoolId } from '../../../src/core/ids.ts'
import { ENDED_NODES_MAX, EndedNodes } from '../../../src/pipeline/ended-nodes.ts'
import type { NodeTable } from '../../../src/state/node-table.ts'
import { PROBE, samplesIpc } from '../../support/node-class.ts'
import { newTable, OBSERVED } from '../../support/node-program.ts'

const ENDED_AT_MS = 50_000

function sample(table: NodeTable, node: string, appendedAt: number): void {
  table.load(samplesIpc(PROBE, [{ node, at: appendedAt, appendedAt, metrics: {} }]))
  table.fold(OBSERVED)
}

test.each([
  { when: 'before the end', appendedAt: ENDED_AT_MS - 1, kept: false },
  { when: 'with the end', appendedAt: ENDED_AT_MS, kept: false },
  { when: 'after the end', appendedAt: ENDED_AT_MS + 1, kept: true },
])('a sample appended $when: the node is kept $kept', ({ appendedAt, kept }) => {
  const table = newTable()
  const ended = new EndedNodes()
  ended.end('a' as NodeId, ENDED_AT_MS)
  sample(table, 'a', appendedAt)
  sample(table, 'b', 1)
  ended.dropFrom(table, OBSERVED)
  expect(table.indexOf('a') !== undefined).toBe(kept)
  expect(table.indexOf('b')).toBeDefined()
})

test('a failed node that is heard of again is in the pool that it was in', () => {
  const table = newTable()
  const ended = new EndedNodes()
  ended.end('a' as NodeId, ENDED_AT_MS, 'web' as PoolId)
  sample(table, 'a', ENDED_AT_MS + 1)
  ended.dropFrom(table, OBSERVED)
  expect(table.poolOf(table.indexOf('a')!)).toBe('web')
})

test('a node that joins again is no ended one', () => {
  const table = newTable()
  const ended = new EndedNodes()
  ended.end('a' as NodeId, ENDED_AT_MS)
  ended.begin('a' as NodeId)
  sample(table, 'a', 1)
  ended.dropFrom(table, OBSERVED)
  expect(table.indexOf('a')).toBeDefined()
})

test('beyond the limit the longest ended is forgotten', () => {
  const table = newTable()
  const ended = new EndedNodes()
  for (let i = 0; i <= ENDED_NODES_MAX; i++) ended.end(`n${i}` as NodeId, ENDED_AT_MS)
  for (const node of ['n0', 'n1']) sample(table, node, 1)
  ended.dropFrom(table, OBSERVED)
  expect(table.indexOf('n0')).toBeDefined()
  expect(table.indexOf('n1')).toBeUndefined()
})
