// Goal: what trainers of other makes are given are the rows, folds and targets of our own training.
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { featureNames } from '../../../src/state/features.ts'
import { exportRows } from '../../../training/exported-rows.ts'
import { foldHistory } from '../../../training/fold.ts'
import { openHistory } from '../../../training/history.ts'
import { foldOf, sliceOf } from '../../../training/manifest.ts'
import {
  smallManifest,
  SMALL_CLASS,
  SMALL_MANIFEST,
  writeSmallHistory,
} from '../../support/small-history.ts'
import { loadModule } from '../../support/training-data.ts'

const module = loadModule()

test('every row is there, with its fold, its target and the features that are learned from', async () => {
  const manifest = smallManifest(
    SMALL_MANIFEST.replace('[sql]', 'folds = 3\nleave_out = ["age.hours"]\n[sql]'),
  )
  const dataDir = writeSmallHistory()
  const file = join(mkdtempSync(join(tmpdir(), 'foreshock-rows-')), 'small.rows')
  const count = await exportRows({ manifest, nodeClass: SMALL_CLASS, dataDir, module, file })
  const bytes = readFileSync(file)
  const end = bytes.indexOf('\n') + 1
  const header = JSON.parse(bytes.subarray(0, end).toString()) as {
    rowCount: number
    columns: string[]
    features: string[]
  }
  expect(header.rowCount).toBe(count)
  expect(header.features).toEqual(featureNames(SMALL_CLASS).filter((name) => name !== 'age.hours'))
  const column = (name: string, row: number): number =>
    bytes.readDoubleLE(end + (header.columns.indexOf(name) * count + row) * 8)
  const matrixAt = end + header.columns.length * count * 8
  const width = header.features.length
  expect(bytes.length).toBe(matrixAt + count * width * 4)
  const history = await openHistory(manifest, SMALL_CLASS, dataDir)
  let row = 0
  await foldHistory({
    history,
    nodeClass: SMALL_CLASS,
    module,
    onRow: ({ hash, atMs, label, matrix, from }) => {
      expect(column('atMs', row)).toBe(atMs)
      expect(column('fold', row)).toBe(foldOf(hash, 3))
      expect(column('isTest', row)).toBe(sliceOf(manifest, hash) === 'test' ? 1 : 0)
      expect(column('target.small', row)).toBe(label.kind === 'positive' ? 1 : 0)
      for (let f = 0; f < width; f++) {
        expect(bytes.readFloatLE(matrixAt + (row * width + f) * 4)).toEqual(matrix[from + f])
      }
      row++
    },
  })
  history.close()
  expect(row).toBe(count)
})

test('of a manifest without folds nothing is exported', async () => {
  const options = { nodeClass: SMALL_CLASS, dataDir: '.', module, file: 'never' }
  await expect(exportRows({ manifest: smallManifest(), ...options })).rejects.toThrow(
    /`training\.folds` is not set/,
  )
})
