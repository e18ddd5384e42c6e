/** What `--from` names: a model directory whose trees training goes on from. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FinishedModel } from '../../training/continued.ts'
import { ServiceError } from '../core/errors.ts'
import type { ModelCard } from '../core/model.ts'
import { readEnsemble } from '../predict/onnx-trees.ts'

/** ServiceError MODEL_INVALID when it cannot be read, or is no ensemble of trees as training writes it. */
export async function finishedModel(directory: string): Promise<FinishedModel> {
  const card = JSON.parse((await read(directory, 'card.json')).toString()) as ModelCard
  const bytes = await read(directory, 'model.onnx')
  const { version, featureHash, features } = card
  const found = readEnsemble(bytes, features.length)
  if (found.ok) return { version, featureHash, ...found.ensemble }
  throw new ServiceError(
    'MODEL_INVALID',
    `${directory}: trees cannot be added to this model: ${found.reason}; name a model of foreshock train`,
  )
}

async function read(directory: string, name: string): Promise<Buffer> {
  const file = join(directory, name)
  try {
    return await readFile(file)
  } catch (cause) {
    throw new ServiceError(
      'MODEL_INVALID',
      `${file}: cannot be read; --from names the directory of a trained model`,
      { cause },
    )
  }
}
