/**
 * What has grown so far, on disk beside the model to be: written whole or not at all, and read back only
 * into the training that it came from. A model that went on from it equals one that never stopped.
 *
 *   8 bytes "FSGROW1\n"; sha256 of the rest, 32 bytes; sha256 of the training, 32 bytes; the state as
 *   structured data (node:v8), which keeps every number to the bit
 */
import { createHash } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { deserialize, serialize } from 'node:v8'
import { ServiceError } from '../src/core/errors.ts'
import type { BinnedRows } from './bins.ts'
import type { BoostData, BoostParams } from './boost-params.ts'
import type { BoostState } from './boost-rounds.ts'
import type { Booster } from './booster.ts'

const MAGIC = 'FSGROW1\n'
const DIGEST_BYTES = 32

/** Of all rows and bounds: what two trainings on the same data have in common. */
export function rowsDigest({ bounds, rows, validation }: BoostData): Buffer {
  const digest = createHash('sha256')
  for (const bound of bounds) digest.update(`${bound.length} bounds\n`).update(bound)
  for (const part of [rows, validation]) if (part !== null) digestRows(digest, part)
  return digest.digest()
}

/** Everything that trees depend on: rows, what is known of the features, parameters, trees before. */
export function trainingDigest(
  rows: Buffer,
  { monotone, categorical }: BoostData,
  params: BoostParams,
  before: readonly Booster[],
): Buffer {
  const digest = createHash('sha256').update(rows)
  digest.update(JSON.stringify({ params, monotone, categorical }))
  for (const { base, trees } of before) {
    digest.update(`base ${base}\n`)
    for (const tree of trees) {
      for (const column of [tree.feature, tree.bin, tree.missingLeft, tree.left, tree.right]) {
        digest.update(column)
      }
      digest.update(tree.value)
    }
  }
  return digest.digest()
}

function digestRows(digest: ReturnType<typeof createHash>, rows: BinnedRows): void {
  digest.update(`${rows.rowCount} rows, ${rows.stride} bytes each\n`)
  digest.update(rows.bins.subarray(0, rows.rowCount * rows.stride))
  digest.update(rows.labels).update(rows.weights)
  if (rows.targets !== undefined) digest.update(rows.targets)
}

/** @param training of `trainingDigest`. */
export async function saveState(file: string, training: Buffer, state: BoostState): Promise<void> {
  const body = Buffer.concat([training, serialize(state)])
  const sum = createHash('sha256').update(body).digest()
  const draft = `${file}.draft`
  await writeFile(draft, Buffer.concat([Buffer.from(MAGIC), sum, body]))
  await rename(draft, file)
}

/**
 * `null` when there is none. ServiceError HISTORY_INVALID when the file is damaged, or comes from other
 * data or parameters.
 */
export async function loadState(file: string, training: Buffer): Promise<BoostState | null> {
  const bytes = await readIfThere(file)
  if (bytes === null) return null
  const start = MAGIC.length + DIGEST_BYTES
  const body = bytes.subarray(start)
  const sum = createHash('sha256').update(body).digest()
  const isWhole =
    bytes.subarray(0, MAGIC.length).toString() === MAGIC &&
    bytes.subarray(MAGIC.length, start).equals(sum)
  if (!isWhole) throw refused(file, 'is damaged')
  if (!body.subarray(0, DIGEST_BYTES).equals(training)) {
    throw refused(file, 'comes from a training with other data, parameters or seed')
  }
  // The sum was right, so it is what `saveState` wrote.
  return deserialize(body.subarray(DIGEST_BYTES)) as BoostState
}

export async function dropState(file: string): Promise<void> {
  await rm(file, { force: true })
  await rm(`${file}.draft`, { force: true })
}

function refused(file: string, why: string): ServiceError {
  return new ServiceError(
    'HISTORY_INVALID',
    `${file}: ${why}: train without --resume, which begins anew, or remove the file`,
  )
}

async function readIfThere(file: string): Promise<Buffer | null> {
  try {
    return await readFile(file)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}
