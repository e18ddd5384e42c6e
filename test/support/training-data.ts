/** Small made-up training sets with known structure, and the WASM module that tests train with. */
import { readFileSync } from 'node:fs'
import { randomFrom } from '../../training/boost.ts'

export function loadModule(): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(new URL('../../dist/foreshock.wasm', import.meta.url)))
}

export interface MadeData {
  readonly matrix: Float32Array
  readonly labels: Uint8Array
  readonly featureCount: number
  readonly rowCount: number
}

/** Features 0 and 1 matter, 2 matters by being missing, the others are noise. */
export function makeData(rowCount: number, featureCount: number, seed: number): MadeData {
  const random = randomFrom(seed)
  const matrix = new Float32Array(rowCount * featureCount)
  const labels = new Uint8Array(rowCount)
  for (let r = 0; r < rowCount; r++) {
    const row = matrix.subarray(r * featureCount, (r + 1) * featureCount)
    for (let f = 0; f < featureCount; f++) row[f] = random() * 4 - 2
    if (random() < 0.3) row[2] = NaN
    const margin = 2 * row[0] - row[1] * row[1] + (Number.isNaN(row[2]) ? 1.5 : -0.5)
    labels[r] = random() < 1 / (1 + Math.exp(-margin)) ? 1 : 0
  }
  return { matrix, labels, featureCount, rowCount }
}
