/** Models of other trainers, made by foreign/make.py, in directories as the service reads them. */
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tinyCard } from './history/tiny-model.ts'
import { PROBE } from './node-class.ts'

const DIRECTORY = new URL('foreign/', import.meta.url)
export const FOREIGN_FEATURES = ['f0', 'f1', 'f2', 'f3', 'f4']

export interface ForeignRows {
  /** float32 [rows, features], row-major; NaN where the trainer saw a missing value. */
  readonly matrix: Float32Array
  readonly rowCount: number
  /** By the trainer itself, in float64. */
  readonly probability: Float64Array
}

/** Trainers that take no missing values saw 0 in their place. */
export function foreignRows(name: string, missing: number = NaN): ForeignRows {
  const text = readFileSync(new URL('scores.csv', DIRECTORY), 'utf8')
  const [header, ...lines] = text
    .trim()
    .split('\n')
    .map((line) => line.split(','))
  const column = header.indexOf(name)
  const width = FOREIGN_FEATURES.length
  const values = lines.flatMap((line) => line.slice(0, width))
  return {
    matrix: Float32Array.from(values, (value) => (value === '' ? missing : Number(value))),
    rowCount: lines.length,
    probability: Float64Array.from(lines, (line) => Number(line[column])),
  }
}

/** The file and a card that names its features; returns the directory. */
export function writeForeignModel(
  name: string,
  features: readonly string[] = FOREIGN_FEATURES,
): string {
  const onnx = readFileSync(new URL(`${name}.onnx`, DIRECTORY))
  const modelHash = createHash('sha256').update(onnx).digest('hex')
  const card = { ...tinyCard(PROBE, onnx), name, features, modelHash }
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-foreign-'))
  writeFileSync(join(directory, 'model.onnx'), onnx)
  writeFileSync(join(directory, 'card.json'), JSON.stringify(card))
  return directory
}

export function largestGap(ours: Float32Array, theirs: Float64Array): number {
  return Math.max(...theirs.map((value, row) => Math.abs(value - ours[row])))
}
