/** A model's directory: written whole or not at all, and its list of nodes that training has seen. */
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { ServiceError } from '../src/core/errors.ts'
import {
  type CardHorizon,
  type ModelCard,
  type ModelReference,
  REFERENCE_FILE,
} from '../src/core/model.ts'
import type { Booster } from './booster.ts'
import type { Calibration } from '../src/core/calibration.ts'

const MODEL_FILE = 'model.onnx'
const CARD_FILE = 'card.json'
export const TRAINED_NODES_FILE = 'trained-nodes.bin'

export interface ModelFiles {
  readonly card: ModelCard
  readonly onnx: Uint8Array
  /** Sorted. */
  readonly trainedHashes: Uint32Array
  /** What the file was made of, and must say the same as. */
  readonly booster: Booster
  readonly calibration: Calibration
  /** How its training rows lay, for drift to be measured against. */
  readonly reference?: ModelReference
  /** As the card lists them. */
  readonly horizons?: readonly HorizonFile[]
  /** By the names that the card gives them. */
  readonly parts?: readonly ModelFiles[]
}

/** A model of a shorter horizon, beside the main one. */
export interface HorizonFile {
  readonly card: CardHorizon
  readonly onnx: Uint8Array
  readonly booster: Booster
  readonly calibration: Calibration
}

export function horizonFile(name: string): string {
  return `horizon-${name}.onnx`
}

/** Where a part lies within its model's directory. */
export function partDirectory(name: string): string {
  return join('parts', name)
}

/** Writes beside the target and renames, so that an interruption leaves the old model or none. */
export async function writeModel(outDir: string, model: ModelFiles): Promise<void> {
  const target = resolve(outDir)
  await mkdir(dirname(target), { recursive: true })
  const draft = await mkdtemp(join(dirname(target), `.${basename(target)}-`))
  try {
    // A temporary directory is its owner's alone; a model is for whoever runs the service.
    await chmod(draft, 0o755)
    await writeFiles(draft, model)
    for (const [i, part] of (model.parts ?? []).entries()) {
      const directory = join(draft, model.card.parts![i].directory)
      await mkdir(directory, { recursive: true })
      await writeFiles(directory, part)
    }
    const old = `${draft}-old`
    const hadOne = await renameIfThere(target, old)
    await rename(draft, target)
    if (hadOne) await rm(old, { recursive: true })
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    throw error
  }
}

async function writeFiles(directory: string, model: ModelFiles): Promise<void> {
  await writeFile(join(directory, MODEL_FILE), model.onnx)
  await writeFile(join(directory, CARD_FILE), `${JSON.stringify(model.card, null, 2)}\n`)
  await writeFile(join(directory, TRAINED_NODES_FILE), toBytes(model.trainedHashes))
  for (const { card, onnx } of model.horizons ?? [])
    await writeFile(join(directory, card.file), onnx)
  if (model.reference === undefined) return
  await writeFile(join(directory, REFERENCE_FILE), `${JSON.stringify(model.reference)}\n`)
}

async function renameIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}

/** u32 little-endian each. */
function toBytes(hashes: Uint32Array): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(hashes.length * 4))
  for (const [i, hash] of hashes.entries()) bytes.setUint32(i * 4, hash, true)
  return new Uint8Array(bytes.buffer)
}

/** Hashes of nodes that training has seen. ServiceError MODEL_INVALID when the file is missing. */
export async function readTrainedHashes(modelDir: string): Promise<ReadonlySet<number>> {
  const file = join(modelDir, TRAINED_NODES_FILE)
  let bytes: Uint8Array
  try {
    bytes = await readFile(file)
  } catch (cause) {
    throw new ServiceError(
      'MODEL_INVALID',
      `${file}: cannot be read; without it nodes seen in training cannot be left out: train the model again`,
      { cause },
    )
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const hashes = new Set<number>()
  for (let at = 0; at + 4 <= bytes.length; at += 4) hashes.add(view.getUint32(at, true))
  return hashes
}
