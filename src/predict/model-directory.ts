/** A model's directory as it is read: the card, and the bytes of model.onnx that the card vouches for. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { assert, ServiceError } from '../core/errors.ts'
import type { CardHorizon, ModelCard } from '../core/model.ts'

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
  checkHash(file, bytes, card.modelHash)
  return { card, file, bytes }
}

/** A shorter horizon of the model, with a card as if it were one of its own. Fails as the model does. */
export async function readHorizon(
  directory: string,
  main: ModelCard,
  { file: name, ...horizon }: CardHorizon,
): Promise<ModelBytes> {
  const file = join(directory, name)
  const bytes = await readModelFile(file)
  checkHash(file, bytes, horizon.modelHash)
  const { horizons: _, ...rest } = main
  return { card: { ...rest, ...horizon, name: main.name }, file, bytes }
}

function checkHash(file: string, bytes: Uint8Array, wanted: string): void {
  const hash = createHash('sha256').update(bytes).digest('hex')
  if (hash === wanted) return
  throw new ServiceError(
    'MODEL_INVALID',
    `${file}: its sha256 is ${hash.slice(0, 12)}… but card.json says ${wanted.slice(0, 12)}…; the file is damaged or the card is of another model: train again or restore both`,
  )
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
