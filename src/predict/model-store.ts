/**
 * Models by content: `<store>/<id>/` holds the files of one version and their listing, and the id is
 * the listing's sha256. A directory appears whole or not at all, and is never changed, so machines may
 * share one over a network; what was damaged on the way is found by its hash each time it is opened.
 */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ServiceError } from '../core/errors.ts'
import type { ModelId } from '../core/ids.ts'
import {
  isModelFileName,
  isModelId,
  LISTING_FILE,
  type ListedFile,
  MODEL_FILE_BYTES_MAX,
  MODEL_FILES_MAX,
  type ModelCard,
  readListing,
  writeListing,
} from '../core/model.ts'

/** Without these it is no model. */
const REQUIRED = ['card.json', 'model.onnx'] as const
const DRAFT_PREFIX = '.draft-'

export interface StoredModel {
  readonly id: ModelId
  readonly directory: string
  readonly card: ModelCard
  readonly bytes: number
}

type ModelFile = readonly [name: string, bytes: Uint8Array]

export class ModelStore {
  readonly directory: string

  constructor(directory: string) {
    this.directory = resolve(directory)
  }

  /** Sorted. What is still being written has another name and is not among them. */
  async ids(): Promise<readonly ModelId[]> {
    const names = await readdir(this.directory).catch((error: unknown) => none<string[]>(error, []))
    return names.filter((name) => isModelId(name)).sort()
  }

  /**
   * Takes the files of a model's directory, as `foreshock train` writes one. The same files are the
   * same model, and adding them again changes nothing. MODEL_INVALID: they are no model.
   */
  async add(from: string): Promise<StoredModel> {
    const files = await readModelFiles(from)
    const card = checkedCard(from, files)
    const id = await this.put(files)
    const bytes = files.reduce((sum, [, content]) => sum + content.length, 0)
    return { id, directory: join(this.directory, id), card, bytes }
  }

  /** Keeps these files under their id. The directory appears at once, with all of them. */
  async put(files: readonly ModelFile[]): Promise<ModelId> {
    const listing = listingOf(files)
    const id = sha256(listing) as ModelId
    await mkdir(this.directory, { recursive: true })
    const draft = await mkdtemp(join(this.directory, DRAFT_PREFIX))
    try {
      for (const [name, bytes] of files) await writeFile(join(draft, name), bytes)
      await writeFile(join(draft, LISTING_FILE), listing)
      await this.#place(id, draft)
    } finally {
      await rm(draft, { recursive: true, force: true })
    }
    return id
  }

  /** One that is whole stays; one that is damaged makes room. */
  async #place(id: ModelId, draft: string): Promise<void> {
    const target = join(this.directory, id)
    const whole = await this.open(id).then(
      () => true,
      () => false,
    )
    if (whole) return
    await rm(target, { recursive: true, force: true })
    await rename(draft, target).catch(async (error: unknown) => {
      // Another process that shares the store has placed the same in the meantime.
      if (!isCode(error, 'ENOTEMPTY') && !isCode(error, 'EEXIST')) throw error
      await this.open(id)
    })
  }

  /**
   * The directory of a model, all of its files checked against their hashes.
   * MODEL_MISSING: it is not there. MODEL_INVALID: a file is damaged, and which.
   */
  async open(id: ModelId): Promise<string> {
    const directory = join(this.directory, id)
    for (const { name, sha256: expected } of await this.#listed(id)) {
      const bytes = await readFile(join(directory, name)).catch((error: unknown) =>
        none(error, null),
      )
      const found = bytes === null ? null : sha256(bytes)
      if (found !== expected) throw damaged(join(directory, name), expected, found)
    }
    return directory
  }

  async read(id: ModelId): Promise<StoredModel> {
    const directory = await this.open(id)
    const files = await readModelFiles(directory)
    const bytes = files.reduce((sum, [, content]) => sum + content.length, 0)
    return { id, directory, card: checkedCard(directory, files), bytes }
  }

  /** One of its files or its listing, unchecked: who asks for it has the hash. Null: not here. */
  async file(id: ModelId, name: string): Promise<Uint8Array<ArrayBuffer> | null> {
    if (name !== LISTING_FILE && !isModelFileName(name)) return null
    const bytes = await readFile(join(this.directory, id, name)).catch((error: unknown) =>
      none(error, null),
    )
    return bytes === null ? null : Uint8Array.from(bytes)
  }

  /** The one model whose id begins so. USAGE where none or several do. */
  async find(prefix: string): Promise<ModelId> {
    const found = (await this.ids()).filter((id) => id.startsWith(prefix))
    if (found.length === 1 && prefix.length >= PREFIX_MIN) return found[0]
    const why =
      found.length > 1 || prefix.length < PREFIX_MIN
        ? `${found.length} models begin so; give more digits, at least ${PREFIX_MIN}`
        : `the store ${this.directory} has no such model; foreshock models list shows those it has`
    throw new ServiceError('USAGE', `model "${prefix}": ${why}`)
  }

  async #listed(id: ModelId): Promise<readonly ListedFile[]> {
    const file = join(this.directory, id, LISTING_FILE)
    const text = await readFile(file, 'utf8').catch((error: unknown) => none(error, null))
    if (text === null) {
      throw new ServiceError(
        'MODEL_MISSING',
        `model ${short(id)} is not in the store ${this.directory}; add it with foreshock models add DIR, or name a peer that has it in model_store.peers`,
      )
    }
    const files = sha256(text) === id ? readListing(text) : undefined
    if (files === undefined) throw damaged(file, id, sha256(text))
    return files
  }
}

const PREFIX_MIN = 4

/** The id that the files of a model's directory would have in a store. */
export async function modelIdOf(directory: string): Promise<ModelId> {
  return sha256(listingOf(await readModelFiles(directory))) as ModelId
}

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

/** How people see an id. */
function short(id: ModelId): string {
  return `${id.slice(0, 12)}…`
}

function listingOf(files: readonly ModelFile[]): string {
  return writeListing(files.map(([name, bytes]) => ({ name, sha256: sha256(bytes) })))
}

async function readModelFiles(directory: string): Promise<readonly ModelFile[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((cause: unknown) => {
    throw new ServiceError(
      'MODEL_INVALID',
      `${directory}: cannot be read; name a model's directory`,
      {
        cause,
      },
    )
  })
  const names = entries.flatMap((entry) =>
    entry.isFile() && isModelFileName(entry.name) ? [entry.name] : [],
  )
  if (names.length > MODEL_FILES_MAX) {
    throw new ServiceError(
      'MODEL_INVALID',
      `${directory}: ${names.length} files, a model has ${MODEL_FILES_MAX} at most; name the directory of one model`,
    )
  }
  for (const name of REQUIRED) {
    if (names.includes(name)) continue
    throw new ServiceError(
      'MODEL_INVALID',
      `${join(directory, name)}: no such file; name a directory made by \`foreshock train --out\``,
    )
  }
  const files: ModelFile[] = []
  for (const name of names.sort()) {
    const path = join(directory, name)
    const { size } = await stat(path)
    if (size > MODEL_FILE_BYTES_MAX) {
      throw new ServiceError(
        'MODEL_INVALID',
        `${path}: ${size} bytes, a file of a model has ${MODEL_FILE_BYTES_MAX} at most`,
      )
    }
    files.push([name, await readFile(path)])
  }
  return files
}

/** The card, where the model file is the one that it speaks of. */
function checkedCard(directory: string, files: readonly ModelFile[]): ModelCard {
  const bytesOf = (name: string) => files.find(([file]) => file === name)![1]
  const file = join(directory, 'card.json')
  let card: ModelCard
  try {
    card = JSON.parse(new TextDecoder().decode(bytesOf('card.json'))) as ModelCard
  } catch (cause) {
    throw new ServiceError('MODEL_INVALID', `${file}: not JSON; train the model again`, { cause })
  }
  for (const key of ['name', 'version', 'nodeClass', 'featureHash', 'modelHash'] as const) {
    if (typeof card[key] === 'string') continue
    throw new ServiceError('MODEL_INVALID', `${file}: \`${key}\` is missing; train the model again`)
  }
  const found = sha256(bytesOf('model.onnx'))
  if (found !== card.modelHash) throw damaged(join(directory, 'model.onnx'), card.modelHash, found)
  return card
}

function damaged(file: string, expected: string, found: string | null): ServiceError {
  const is = found === null ? 'the file is gone' : `its sha256 is ${found.slice(0, 12)}…`
  return new ServiceError(
    'MODEL_INVALID',
    `${file}: ${is}, it should be ${expected.slice(0, 12)}…; the model is damaged and is not served: train it again, restore it, or add it anew (foreshock models add)`,
  )
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/** What is not there is an answer; any other error is one. */
function none<Value>(error: unknown, value: Value): Value {
  if (isCode(error, 'ENOENT') || isCode(error, 'ENOTDIR')) return value
  throw error
}
