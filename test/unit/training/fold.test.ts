// Goal: training sees the rows that serving would: on the grid, up to a node's end, and the same
// whoever else is in the fleet.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DAY_MS } from '../../../src/core/time.ts'
import { foldHistory, type FoldedRow } from '../../../training/fold.ts'
import { openHistory, type History } from '../../../training/history.ts'
import { nodeHash } from '../../../training/manifest.ts'
import { SMALL_CLASS, smallManifest, writeSmallHistory } from '../../support/small-history.ts'
import { loadModule } from '../../support/training-data.ts'

const module = loadModule()
let history: History

beforeAll(async () => {
  history = await openHistory(smallManifest(), SMALL_CLASS, writeSmallHistory())
})
afterAll(() => history.close())

interface Kept extends Pick<FoldedRow, 'hash' | 'atMs' | 'label'> {
  readonly values: Float32Array
}

async function fold(wanted?: (hash: number) => boolean): Promise<readonly Kept[]> {
  const rows: Kept[] = []
  await foldHistory({
    history,
    nodeClass: SMALL_CLASS,
    module,
    ...(wanted === undefined ? {} : { wanted }),
    onRow: ({ hash, atMs, label, matrix, from, width }) =>
      rows.push({ hash, atMs, label, values: matrix.slice(from, from + width) }),
  })
  return rows
}

test('rows lie a week apart from the first sample on, and end before the node does', async () => {
  const hash = nodeHash('drive-0')
  const rows = (await fold()).filter((row) => row.hash === hash)
  const startMs = 1_400_000_000_000
  // drive-0 fails after 100 days: rows on days 0, 7, ..., 98; positive within 30 days of the end.
  expect(rows.map(({ atMs }) => (atMs - startMs) / DAY_MS)).toEqual(
    Array.from({ length: 15 }, (_, week) => week * 7),
  )
  const positive = rows.filter(({ label }) => label.kind === 'positive')
  expect(positive.map(({ atMs }) => (atMs - startMs) / DAY_MS)).toEqual([70, 77, 84, 91, 98])
})

test('a survivor has no row whose horizon nobody watched', async () => {
  const hash = nodeHash('drive-1')
  const rows = (await fold()).filter((row) => row.hash === hash)
  // It leaves after 200 days: day 168 is the last with 30 days of life to come.
  expect(Math.max(...rows.map(({ atMs }) => atMs))).toBe(1_400_000_000_000 + (1 + 168) * DAY_MS)
})

test.each(['drive-0', 'drive-7', 'drive-120'])(
  'rows of %s are the same bits alone',
  async (node) => {
    const hash = nodeHash(node)
    const together = (await fold()).filter((row) => row.hash === hash)
    const alone = await fold((other) => other === hash)
    expect(alone.length).toBeGreaterThan(10)
    expect(alone).toEqual(together)
  },
)
