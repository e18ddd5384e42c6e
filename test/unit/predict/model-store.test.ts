// Goal: a model is known by its content, appears whole, and is never served when a byte of it has changed.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { ModelId } from '../../../src/core/ids.ts'
import { readListing, writeListing } from '../../../src/core/model.ts'
import { listen } from '../../../src/http/server.ts'
import { ModelLibrary } from '../../../src/predict/model-library.ts'
import { modelIdOf, ModelStore } from '../../../src/predict/model-store.ts'
import { createConsole } from '../../support/console.ts'
import { DRIVE } from '../../support/history/parity-classes.ts'
import { writeTinyModel } from '../../support/history/tiny-model.ts'
import { foreshockWasm } from '../../support/node-class.ts'

let store: ModelStore

function emptyStore(): ModelStore {
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-store-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return new ModelStore(directory)
}

beforeEach(() => {
  store = emptyStore()
})

function damage(file: string): void {
  const bytes = readFileSync(file)
  bytes[bytes.length >> 1] ^= 1
  writeFileSync(file, bytes)
}

describe('the store', () => {
  test('the same files are the same model, other files another, whatever the directory', async () => {
    const [a, same, other] = [
      writeTinyModel(DRIVE, 3),
      writeTinyModel(DRIVE, 3),
      writeTinyModel(DRIVE, 4),
    ]
    const { id } = await store.add(a)
    expect((await store.add(same)).id).toBe(id)
    expect(await modelIdOf(same)).toBe(id)
    expect((await store.add(other)).id).not.toBe(id)
    expect(await store.ids()).toHaveLength(2)
    expect(readdirSync(join(store.directory, id)).sort()).toEqual([
      'card.json',
      'files.sha256',
      'model.onnx',
    ])
    expect(await store.find(id.slice(0, 8))).toBe(id)
    await expect(store.find('ffff')).rejects.toThrow(/has no such model/)
  })

  test.each(['model.onnx', 'card.json', 'files.sha256'])(
    'a damaged %s is refused by its name, and adding the model again mends it',
    async (name) => {
      const directory = writeTinyModel(DRIVE, 3)
      const { id } = await store.add(directory)
      damage(join(store.directory, id, name))
      await expect(store.open(id)).rejects.toMatchObject({
        code: 'MODEL_INVALID',
        message: expect.stringContaining(`${name}: its sha256 is`),
      })
      await store.add(directory)
      await expect(store.open(id)).resolves.toContain(id)
    },
  )

  test('a file that is gone is as bad as a damaged one, a model that never was is missing', async () => {
    const { id } = await store.add(writeTinyModel(DRIVE, 3))
    rmSync(join(store.directory, id, 'model.onnx'))
    await expect(store.open(id)).rejects.toThrow(/model\.onnx: the file is gone/)
    await expect(store.open('0'.repeat(64) as ModelId)).rejects.toMatchObject({
      code: 'MODEL_MISSING',
    })
  })

  test('what is no model is not taken, and leaves nothing behind', async () => {
    const directory = writeTinyModel(DRIVE, 3)
    damage(join(directory, 'model.onnx'))
    await expect(store.add(directory)).rejects.toMatchObject({ code: 'MODEL_INVALID' })
    rmSync(join(directory, 'card.json'))
    await expect(store.add(directory)).rejects.toThrow(/card\.json: no such file/)
    expect(await store.ids()).toEqual([])
  })
})

test('a listing is read only as it is written, so that no two texts are one model', () => {
  const files = [
    { name: 'a', sha256: '0'.repeat(64) },
    { name: 'b', sha256: '1'.repeat(64) },
  ]
  const text = writeListing(files)
  expect(readListing(text)).toEqual(files)
  const wrong = ['', text.trimEnd(), text + text, text.replace('a\n', '../a\n'), `${text}\n`]
  for (const other of wrong) expect(readListing(other), JSON.stringify(other)).toBeUndefined()
})

describe('a model that is not here', () => {
  const library = (directory: string, peers: readonly string[] = [], waitMs = 400) =>
    new ModelLibrary({
      storeDirectory: directory,
      peers,
      callerOf: () => ({ call: (_priority, work) => work(new AbortController().signal) }),
      waitMs,
      predictor: { kernel: foreshockWasm() },
    })

  /** The console of another machine, with a store of its own. */
  async function peerOf(of: ModelStore): Promise<string> {
    const { app } = createConsole({ models: of })
    const server = await listen(app, { host: '127.0.0.1', port: 0 })
    onTestFinished(() => server.close())
    return server.url
  }

  test('comes from a peer that has it, checked, and is in the store from then on', async () => {
    const theirs = emptyStore()
    const { id } = await theirs.add(writeTinyModel(DRIVE, 3))
    const peers = ['http://127.0.0.1:1', await peerOf(theirs)]
    const { predictor } = await library(store.directory, peers).load(id)
    expect(predictor.card.name).toBe('tiny-drive')
    await expect(store.open(id)).resolves.toContain(id)
  })

  test('is not taken damaged from a peer, and the error names the peer and the file', async () => {
    const theirs = emptyStore()
    const { id } = await theirs.add(writeTinyModel(DRIVE, 3))
    damage(join(theirs.directory, id, 'model.onnx'))
    const peer = await peerOf(theirs)
    await expect(library(store.directory, [peer]).load(id)).rejects.toMatchObject({
      code: 'MODEL_MISSING',
      message: expect.stringContaining(`${peer}: its model.onnx is damaged`),
    })
    expect(await store.ids()).toEqual([])
  })

  test('is waited for while another machine puts it into the shared store', async () => {
    const from = writeTinyModel(DRIVE, 3)
    const loading = library(store.directory, [], 20_000).load(await modelIdOf(from))
    await store.add(from)
    expect((await loading).predictor.card.name).toBe('tiny-drive')
  })

  test('is given up when the time is over, and found when it is asked for again later', async () => {
    const from = writeTinyModel(DRIVE, 3)
    const id = await modelIdOf(from)
    const models = library(store.directory)
    await expect(models.load(id)).rejects.toThrow(/foreshock models add DIR/)
    await store.add(from)
    expect((await models.load(id)).predictor.card.name).toBe('tiny-drive')
  })

  test('is mended from a peer when it is damaged here', async () => {
    const theirs = emptyStore()
    const from = writeTinyModel(DRIVE, 3)
    const { id } = await theirs.add(from)
    await store.add(from)
    damage(join(store.directory, id, 'card.json'))
    await expect(library(store.directory).load(id)).rejects.toMatchObject({ code: 'MODEL_INVALID' })
    const models = library(store.directory, [await peerOf(theirs)])
    expect((await models.load(id)).predictor.card.name).toBe('tiny-drive')
  })
})
