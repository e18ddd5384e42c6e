/**
 * The rows that a training learns from and is judged by, for its peers: the same rows, splits and bins.
 * Each slice is NAME.u8 (bins, `width` bytes a row, 255: missing), NAME.labels (u8), NAME.weights (f32).
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NodeClass } from '../../src/core/node.ts'
import { readDataset, type Dataset } from '../../training/dataset.ts'
import { openHistory } from '../../training/history.ts'
import type { Manifest, Slice } from '../../training/manifest.ts'

export interface RowsOptions {
  readonly manifest: Manifest
  readonly nodeClass: NodeClass
  readonly dataDir: string
  readonly module: WebAssembly.Module
  readonly folder: string
}

export async function writeRows(options: RowsOptions): Promise<Dataset> {
  const { manifest, nodeClass, dataDir, module, folder } = options
  const history = await openHistory(manifest, nodeClass, dataDir)
  try {
    const data = await readDataset({ history, nodeClass, module, seed: 1, onProgress: () => {} })
    mkdirSync(folder, { recursive: true })
    const counts: Partial<Record<Slice, number>> = {}
    for (const slice of ['fit', 'calibration', 'validation', 'test'] as const) {
      counts[slice] = writeSlice(folder, slice, data)
    }
    const about = { width: data.columns.length, counts, training: manifest.training }
    writeFileSync(join(folder, 'rows.json'), JSON.stringify(about))
    return data
  } finally {
    history.close()
  }
}

function writeSlice(folder: string, slice: Slice, { slices, columns }: Dataset): number {
  const { rowCount, stride, bins, labels, weights } = slices[slice].rows()
  const width = columns.length
  const packed = new Uint8Array(rowCount * width)
  for (let row = 0; row < rowCount; row++) {
    packed.set(bins.subarray(row * stride, row * stride + width), row * width)
  }
  const file = (ending: string) => join(folder, `${slice}.${ending}`)
  writeFileSync(file('u8'), packed)
  writeFileSync(file('labels'), labels)
  writeFileSync(
    file('weights'),
    new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength),
  )
  return rowCount
}
