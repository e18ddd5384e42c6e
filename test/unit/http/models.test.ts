// Goal: the console says which model serves, and gives its files to machines that lack them.
import { expect, test } from 'vitest'
import { toBytes } from '../../../src/core/bytes.ts'
import { decodeControl } from '../../../src/ingest/controls.ts'
import { sha256 } from '../../../src/predict/model-store.ts'
import { createConsole, outputRecord } from '../../support/console.ts'
import { CLASS_MODELS } from '../../support/metrics.ts'
import { textOf } from '../../support/output.ts'

const FILES: Readonly<Record<string, string>> = {
  'files.sha256': `${sha256('{}')}  card.json\n`,
  'card.json': '{"version":"m1","nodeClass":"server"}',
}

function consoleWithModels() {
  const made = createConsole({
    models: {
      ids: async () => [CLASS_MODELS.champion!],
      file: async (id, name) =>
        id === CLASS_MODELS.champion && name in FILES
          ? new TextEncoder().encode(FILES[name])
          : null,
    },
  })
  made.views.fold(outputRecord('models', CLASS_MODELS))
  return made
}

test('models that are kept, and what each class is served by, with the figures of both', async () => {
  const { app } = consoleWithModels()
  const body = await (await app.request('/v1/models')).json()
  expect(body).toEqual({
    classes: [CLASS_MODELS],
    models: [
      {
        id: CLASS_MODELS.champion,
        version: 'm1',
        nodeClass: 'server',
        serves: ['server'],
        challenges: [],
      },
    ],
  })
})

test('the files of a model, and 404 for any other', async () => {
  const { app } = consoleWithModels()
  const base = `/v1/models/${CLASS_MODELS.champion}`
  expect(await (await app.request(base)).json()).toMatchObject({
    card: { version: 'm1' },
    files: ['card.json'],
  })
  const card = await app.request(`${base}/card.json`)
  expect(await card.text()).toBe(FILES['card.json'])
  expect(card.headers.get('cache-control')).toMatch(/immutable/)
  for (const path of [`${base}/model.onnx`, `/v1/models/${'c'.repeat(64)}`, '/v1/models/..%2f']) {
    expect((await app.request(path)).status, path).toBe(404)
  }
})

test('a control names only a model that is here: watchers would wait for any other', async () => {
  const { app, produced } = consoleWithModels()
  const post = (body: object) => {
    const common = { kind: 'model', nodeClass: 'server', reason: 'test' }
    return app.request('/v1/controls', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...common, ...body }),
    })
  }
  const { champion } = CLASS_MODELS
  expect((await post({ action: 'activate', model: champion })).status).toBe(202)
  expect((await post({ action: 'rollback' })).status).toBe(202)
  expect((await post({ action: 'canary' })).status).toBe(202)
  expect((await post({ action: 'promote', model: champion })).status).toBe(202)
  expect(produced).toHaveLength(4)
  const decoded = produced.map(({ value }) => decodeControl(toBytes(textOf(value))))
  expect(decoded).toMatchObject(
    ['activate', 'rollback', 'canary', 'promote'].map((action) => ({
      ok: true,
      value: { action },
    })),
  )
  const refused = [
    { action: 'activate', model: 'c'.repeat(64) },
    { action: 'challenge' },
    { action: 'rollback', model: champion },
    { action: 'canary', model: 'c'.repeat(64) },
    { action: 'activate', model: 'no hash' },
  ]
  for (const body of refused) expect((await post(body)).status, JSON.stringify(body)).toBe(400)
  expect(produced).toHaveLength(4)
})
