import { expect, test } from 'vitest'
import { toBytes } from '../../../src/core/bytes.ts'
import { ConsoleViews } from '../../../src/store/views.ts'
import type { StreamEvent } from '../../../src/store/views.ts'
import { command, outputRecord, result, TOPOLOGY } from '../../support/console.ts'

function createViews(limits = {}): ConsoleViews {
  return new ConsoleViews(TOPOLOGY, limits)
}

test('a node is what its last record says, until a tombstone', () => {
  const views = createViews()
  views.fold(outputRecord('nodes', { node: 'n1', liveness: 'live' }))
  views.fold(outputRecord('nodes', { node: 'n1', liveness: 'silent' }))
  expect(views.node('n1')).toEqual({ node: 'n1', liveness: 'silent' })
  expect(views.nodeIds()).toEqual(['n1'])
  views.fold(outputRecord('nodes', null, { key: toBytes('n1') }))
  expect(views.node('n1')).toBeUndefined()
  expect(views.nodeIds()).toEqual([])
})

test('node ids stay sorted while nodes come', () => {
  const views = createViews()
  for (const node of ['b', 'a']) views.fold(outputRecord('nodes', { node }))
  expect(views.nodeIds()).toEqual(['a', 'b'])
  views.fold(outputRecord('nodes', { node: 'aa' }))
  expect(views.nodeIds()).toEqual(['a', 'aa', 'b'])
})

test('nodes over the limit are counted, and known ones still change', () => {
  const views = createViews({ nodesMax: 1 })
  for (const node of ['a', 'b']) views.fold(outputRecord('nodes', { node }))
  views.fold(outputRecord('nodes', { node: 'a', liveness: 'silent' }))
  expect(views.counts()).toMatchObject({ nodes: 1, nodesLeftOut: 1 })
  expect(views.node('a')?.liveness).toBe('silent')
})

test('a command has the state of its newest result', () => {
  const views = createViews()
  views.fold(outputRecord('commands.migration', command('c1')))
  expect(views.command('c1')?.state).toBe('sent')
  views.fold(outputRecord('results', result('c1', 'started', 5)))
  views.fold(outputRecord('results', result('c1', 'verified', 9)))
  expect(views.command('c1')).toMatchObject({ state: 'verified', resultAtMs: 9 })
})

test('a result that is read before its command is not lost', () => {
  const views = createViews()
  views.fold(outputRecord('results', result('c1', 'verified', 9)))
  views.fold(outputRecord('commands.recovery', command('c1')))
  expect(views.command('c1')?.state).toBe('verified')
})

test('a command read twice keeps its state', () => {
  const views = createViews()
  views.fold(outputRecord('commands.migration', command('c1')))
  views.fold(outputRecord('results', result('c1', 'failed', 5)))
  views.fold(outputRecord('commands.migration', command('c1')))
  expect(views.command('c1')?.state).toBe('failed')
  expect(views.counts().commands).toBe(1)
})

test('the oldest command makes room for the newest', () => {
  const views = createViews({ commandsMax: 2 })
  for (const id of ['c1', 'c2', 'c3']) views.fold(outputRecord('commands.migration', command(id)))
  expect([...views.commands()].map(({ commandId }) => commandId)).toEqual(['c3', 'c2'])
  expect(views.counts().commands).toBe(3)
})

test.each([
  { topic: 'nodes', value: toBytes('{"node":'), because: 'it is cut off' },
  { topic: 'nodes', value: toBytes('[]'), because: 'it is no object' },
  { topic: 'predictions', value: toBytes('{}'), because: 'it names no node' },
  { topic: 'journal', value: toBytes('{}'), because: 'it has no kind' },
  { topic: 'unheard-of', value: toBytes('{}'), because: 'its topic is not shown' },
])('a record of $topic is counted as unreadable when $because', ({ topic, value }) => {
  const views = createViews()
  views.fold(outputRecord(topic, null, { value }))
  expect(views.counts()).toMatchObject({ unreadable: 1, nodes: 0, predictions: 0, decisions: 0 })
})

test('a prediction tells the provider in use', () => {
  const views = createViews()
  expect(views.provider).toBeNull()
  views.fold(outputRecord('predictions', { node: 'n1', probability: 0.4, provider: 'cpu' }))
  expect(views.provider).toBe('cpu')
  expect(views.lastPrediction('n1')?.probability).toBe(0.4)
})

test('a listener hears what happens until it ends its subscription', () => {
  const views = createViews()
  const heard: StreamEvent[] = []
  const end = views.subscribe((event) => void heard.push(event))
  views.fold(outputRecord('journal', { kind: 'decision' }))
  end()
  views.fold(outputRecord('journal', { kind: 'refusal' }))
  expect(heard).toEqual([{ kind: 'decision', body: { kind: 'decision' } }])
})
