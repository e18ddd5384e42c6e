/** Reads `reference.json`: how the rows of training lay. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ServiceError } from '../core/errors.ts'
import { type Distribution, type ModelReference, REFERENCE_FILE } from '../core/model.ts'

/** Null where the model has none. MODEL_INVALID where it is no reference. */
export async function readReference(directory: string): Promise<ModelReference | null> {
  const file = join(directory, REFERENCE_FILE)
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch {
    return null
  }
  try {
    const reference = JSON.parse(text) as ModelReference
    const all = [reference.score, ...Object.values(reference.features)]
    if (reference.nodeCount > 0 && all.every(isSound)) return reference
  } catch {
    // Not JSON, or not of this shape: said below.
  }
  throw new ServiceError(
    'MODEL_INVALID',
    `${file}: no reference distribution; train the model again`,
  )
}

function isSound({ bounds, shares }: Distribution): boolean {
  return shares.length === bounds.length + 2 && shares.every((share) => share >= 0 && share <= 1)
}
