// Goal: a node's place among its peers is the one that serving would see: peers are those of the row's
// time, and all of them, also those whose own rows nobody wants.
import { expect, test } from 'vitest'
import type { NodeId, PoolId } from '../../../src/core/ids.ts'
import type { JoinEvent } from '../../../src/core/node.ts'
import { NodeTable } from '../../../src/state/node-table.ts'
import { nodeHash } from '../../../training/manifest.ts'
import { trainingRows } from '../../support/history/history-rows.ts'
import { serverHistory } from '../../support/history/parity-history.ts'
import { foreshockWasm, PROBE, samplesIpc } from '../../support/node-class.ts'

const OBSERVED = { atMs: 0, watermarkMs: 0 }

function join(pool: string, atMs: number): JoinEvent {
  return {
    kind: 'join',
    node: 'a' as NodeId,
    atMs,
    class: PROBE.name,
    pool: pool as PoolId,
    labels: {},
    place: { zone: null, region: null, latitude: null, longitude: null },
    capacity: { cpu: 0, memoryBytes: 0, gpu: null },
  }
}

test.each([{ taken: 'before it moves' }, { taken: 'after it has moved' }])(
  'a node that moves to another pool, its row taken $taken',
  ({ taken }) => {
    const table = new NodeTable(foreshockWasm(), PROBE, { nodesMax: 16 })
    table.foldEvent(join('old', 0), 0, OBSERVED)
    table.load(samplesIpc(PROBE, [{ node: 'a', at: 1_000, metrics: { temperature: 20 } }]))
    table.fold(OBSERVED)
    if (taken === 'before it moves') {
      table.advance(60_000)
      table.clearRows()
    }
    table.foldEvent(join('new', 90_000), 0, OBSERVED)
    table.clearRows()
    table.advance(120_000)
    table.clearRows()
    table.advance(180_000)
    const counted = table.cohortCounts().map(({ cohort, window }) => `${cohort} ${window}`)
    expect(counted).toEqual(['old/probe/ 1', 'new/probe/ 2'])
  },
)

test('a backtest that wants a few nodes sees the rows that all of them give together', async () => {
  const servers = serverHistory(20, 3)
  const names = new Map(servers.events.map(({ node }) => [nodeHash(node), node]))
  const wanted = (hash: number) => names.get(hash)!.endsWith('7')
  const all = await trainingRows(servers)
  const some = await trainingRows(servers, wanted)
  const expected = [...all].filter(([key]) => key.split('@')[0].endsWith('7'))
  expect(expected.length).toBeGreaterThan(20)
  expect(some).toEqual(new Map(expected))
})
