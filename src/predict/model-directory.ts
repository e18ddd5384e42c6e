/** A model's directory as it is read: the card, and the bytes of model.onnx that the card vouches for. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { assert, ServiceError } from '../core/errors.ts'
import type { ModelCard } from '../core/model.ts'

export interface ModelBytes {
  readonly card: ModelCard
  /** Path of model.onnx, for messages. */
  readonly file: string
  readonly bytes: Uint8Array
}

/** ServiceError MODEL_INVALID: a file is missing, damaged or not what the card says. */
export async function readModelDirectory(directory: string): Promise<ModelBytes> {
  const card = await readCard(directory)
  const file = join(directory, 'model.onnx')
  const bytes = await readModelFile(file)
  const hash = createHash('sha256').update(bytes).digest('hex')
  if (hash !== card.modelHash) {
    throw new ServiceError(
      'MODEL_INVALID',
      `${file}: its sha256 is ${hash.slice(0, 12)}… but card.json says ${card.modelHash.slice(0, 12)}…; the file is damaged or the card is of another model: train again or restore both`,
    )
  }
  return { card, file, bytes }
}

async function readCard(directory: string): Promise<ModelCard> {
  const file = join(directory, 'card.json')
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    throw new ServiceError(
      'MODEL_INVALID',
      `${file}: no model card there; name a directory made by \`foreshock train --out\``,
      { cause },
    )
  }
  try {
    const card = JSON.parse(text) as ModelCard
    assert(Array.isArray(card.features) && typeof card.modelHash === 'string')
    return card
  } catch (cause) {
    throw new ServiceError('MODEL_INVALID', `${file}: not a model card; train the model again`, {
      cause,
    })
  }
}

async function readModelFile(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file)
  } catch (cause) {
    throw new ServiceError('MODEL_INVALID', `${file}: cannot be read; train the model again`, {
      cause,
    })
  }
}
