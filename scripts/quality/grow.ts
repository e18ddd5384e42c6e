/**
 * `grow.ts FOLDER TREES`: our trainer on the rows that rows.ts wrote, in a process of its own, so that
 * its time and peak memory can be told. Prints one line of JSON, as peers.py does.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { loadKernel } from '../../src/commands/package.ts'
import { PAGE_BYTES, STATIC_BYTES } from '../../training/boost-kernels.ts'
import { DEFAULT_BOOST, trainBoost } from '../../training/boost.ts'
import { strideOf, type BinnedRows } from '../../training/bins.ts'
import type { Manifest } from '../../training/manifest.ts'

interface About {
  readonly width: number
  readonly counts: { readonly fit: number }
  readonly training: Manifest['training']
}

const [folder, trees] = [process.argv[2], Number(process.argv[3])]
const about = JSON.parse(readFileSync(join(folder, 'rows.json'), 'utf8')) as About
const rows = readRows(folder, about)
// Splits are by bin; thresholds are never asked for here.
const bounds = Array.from({ length: about.width }, () =>
  Float32Array.from({ length: 254 }, (_, bin) => bin),
)
const module = await loadKernel()
const { leaves, learningRate, featureRatio, rowsMin } = about.training
const params = {
  ...DEFAULT_BOOST,
  treesMax: trees,
  leavesMax: leaves,
  learningRate,
  featureRatio,
  rowsMin,
}
const cpu = process.cpuUsage()
const began = performance.now()
const booster = trainBoost(module, { rows, bounds, validation: null }, params)
const { user, system } = process.cpuUsage(cpu)
const result = {
  cpuSeconds: (user + system) / 1e6,
  wallSeconds: (performance.now() - began) / 1e3,
  peakBytes: process.resourceUsage().maxRSS * 1024,
  trees: booster.trees.length,
}
process.stdout.write(`${JSON.stringify(result)}\n`)

/** Into the memory that trains on them, a part at a time. */
function readRows(from: string, { width, counts }: About): BinnedRows {
  const rowCount = counts.fit
  const stride = strideOf(width)
  const pages = Math.ceil((STATIC_BYTES + rowCount * stride) / PAGE_BYTES)
  const memory = new WebAssembly.Memory({ initial: pages })
  const bins = () => new Uint8Array(memory.buffer, STATIC_BYTES, rowCount * stride)
  const file = openSync(join(from, 'fit.u8'), 'r')
  const part = new Uint8Array(width * 4_096)
  const view = bins()
  for (let row = 0; row < rowCount;) {
    const count = Math.floor(readSync(file, part) / width)
    if (count === 0) throw new Error(`${join(from, 'fit.u8')} ends at row ${row} of ${rowCount}`)
    for (let i = 0; i < count; i++) {
      view.set(part.subarray(i * width, (i + 1) * width), (row + i) * stride)
    }
    row += count
  }
  closeSync(file)
  const weights = readFileSync(join(from, 'fit.weights'))
  return {
    rowCount,
    featureCount: width,
    stride,
    get bins() {
      return bins()
    },
    memory,
    labels: new Uint8Array(readFileSync(join(from, 'fit.labels'))),
    weights: new Float32Array(
      weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.length),
    ),
  }
}
