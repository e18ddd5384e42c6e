// Goal: nobody learns from, or is judged by, the quiet rows of a node whose work was moved in time, unless at the
// weight that was asked for; and the card counts them.
import { appendFileSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { DAY_MS } from '../../../src/core/time.ts'
import { type Dataset, readDataset } from '../../../training/dataset.ts'
import { openHistory } from '../../../training/history.ts'
import { train } from '../../../training/train.ts'
import {
  SMALL_CLASS,
  SMALL_MANIFEST,
  SMALL_NODES,
  smallManifest,
  writeSmallHistory,
} from '../../support/small-history.ts'
import { loadModule } from '../../support/training-data.ts'

const module = loadModule()
const manifestOf = (weight: number) =>
  smallManifest(SMALL_MANIFEST.replace('[training]', `[training]\nmoved_weight = ${weight}`))
let untouched: string
let moved: string

/** Every third node, which lives 200 days, is without work from day 100 to day 120. */
beforeAll(() => {
  untouched = writeSmallHistory()
  moved = writeSmallHistory()
  for (let n = 1; n < SMALL_NODES; n += 3) {
    const startMs = 1_400_000_000_000 + n * DAY_MS
    const line = (day: number, kind: string) => `drive-${n},${startMs + day * DAY_MS},${kind},\n`
    appendFileSync(join(moved, 'events.csv'), line(100, 'moved') + line(120, 'returned'))
  }
})

async function dataset(dataDir: string, weight: number): Promise<Dataset> {
  const history = await openHistory(manifestOf(weight), SMALL_CLASS, dataDir)
  try {
    return await readDataset({
      history,
      nodeClass: SMALL_CLASS,
      module,
      seed: 1,
      onProgress: () => {},
    })
  } finally {
    history.close()
  }
}

function rowsOf({ slices }: Dataset): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(slices).map(([slice, store]) => [slice, store.facts().labels.length]),
  )
}

test('rows with a horizon that touches the time without work are in no slice', async () => {
  const [whole, left] = [await dataset(untouched, 0), await dataset(moved, 0)]
  const sum = (data: Dataset) => Object.values(rowsOf(data)).reduce((a, b) => a + b, 0)
  expect(left.movedLabels).toMatchObject({ weight: 0, nodeCount: 67 })
  expect(sum(whole) - sum(left)).toBe(left.movedLabels!.rowCount)
  // From 30 days before to the end, in rows of a week.
  expect(left.movedLabels!.rowCount / 67).toBeGreaterThanOrEqual(7)
  expect(left.movedLabels!.rowCount / 67).toBeLessThanOrEqual(8)
  expect(whole.movedLabels).toBeNull()
})

test('at a weight they are learned from, and still judge nothing', async () => {
  const [whole, weighed] = [await dataset(untouched, 0.25), await dataset(moved, 0.25)]
  const [before, after] = [rowsOf(whole), rowsOf(weighed)]
  expect(after['fit']).toBe(before['fit'])
  for (const slice of ['calibration', 'validation', 'test']) {
    expect(after[slice]).toBeLessThan(before[slice])
  }
  const { weights } = weighed.slices.fit.rows()
  expect(new Set(weights)).toEqual(new Set([0.25, 1]))
  expect(weighed.movedLabels!.weight).toBe(0.25)
})

test('the card counts them, and says what was done with them', async () => {
  const outDir = join(mkdtempSync(join(tmpdir(), 'foreshock-models-')), 'small')
  const options = { nodeClass: SMALL_CLASS, outDir, module, seed: 1 }
  const card = await train({ ...options, manifest: manifestOf(0), dataDir: moved })
  expect(card.movedLabels).toMatchObject({ nodeCount: 67, weight: 0 })
  expect(card.notes.join('\n')).toMatch(
    /Of \d+ rows of 67 nodes it is unknown .* They were left out/,
  )
  const other = await train({ ...options, manifest: manifestOf(0), dataDir: untouched })
  expect(other).not.toHaveProperty('movedLabels')
})
