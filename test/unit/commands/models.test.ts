// Goal: the store from the command line: what is kept is shown, what is damaged is said, wrong use is 2.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { runCli } from '../../../src/commands/cli.ts'
import { command } from '../../../src/commands/models.ts'
import type { Output } from '../../../src/core/bus.ts'
import type { PoolId } from '../../../src/core/ids.ts'
import { listen } from '../../../src/http/server.ts'
import { DRIVE } from '../../support/history/parity-classes.ts'
import { createConsole, outputRecord } from '../../support/console.ts'
import { writeTinyModel } from '../../support/history/tiny-model.ts'
import { createIo } from '../../support/io.ts'
import { CLASS_MODELS } from '../../support/metrics.ts'

let store: string

beforeEach(() => {
  store = mkdtempSync(join(tmpdir(), 'foreshock-store-'))
  onTestFinished(() => rmSync(store, { recursive: true, force: true }))
})

async function models(...args: readonly string[]) {
  const { io, written } = createIo()
  const registry = { models: async () => command }
  const code = await runCli(registry, ['models', ...args, '--store', store], io)
  return { code, ...written }
}

async function added(): Promise<string> {
  const { stdout } = await models('add', writeTinyModel(DRIVE, 3), '--json')
  return (JSON.parse(stdout) as { id: string }).id
}

test('a model that was added is listed and shown by the first digits of its id', async () => {
  expect((await models('list')).stdout).toMatch(/no models; foreshock models add DIR/)
  const id = await added()
  const list = JSON.parse((await models('list', '--json')).stdout) as { models: object[] }
  expect(list.models).toMatchObject([{ id, version: 'tiny-1', nodeClass: 'drive', problem: null }])
  expect((await models('list')).stdout).toContain(id.slice(0, 12))
  const shown = await models('show', id.slice(0, 6), '--json')
  expect(JSON.parse(shown.stdout)).toMatchObject({ id, card: { name: 'tiny-drive' } })
})

test('a damaged model is a finding, and is neither shown nor sent anywhere', async () => {
  const id = await added()
  writeFileSync(join(store, id, 'model.onnx'), 'damaged')
  const list = await models('list')
  expect(list.code).toBe(1)
  expect(list.stdout).toMatch(/damaged: .*model\.onnx: its sha256 is/)
  for (const action of ['show', 'activate', 'challenge']) {
    const { code, stderr } = await models(action, id)
    expect([code, stderr]).toEqual([1, expect.stringMatching(/model\.onnx: its sha256 is/)])
  }
})

test.each([
  { args: [], says: /give one of list, show, add, activate, challenge, promote, rollback/ },
  { args: ['shw'], says: /give one of/ },
  { args: ['add'], says: /give a model's directory/ },
  { args: ['activate'], says: /give the first digits of its id/ },
  { args: ['activate', 'abcd'], says: /has no such model/ },
  { args: ['rollback'], says: /give --class NAME/ },
  { args: ['rollback', 'abcd'], says: /takes no model/ },
  { args: ['promote'], says: /models promote: give --class NAME/ },
  { args: ['challenge', '--canary', '--class', 'drive', 'abcd'], says: /has no such model/ },
  { args: ['rollback', '--canary', '--class', 'drive'], says: /--canary goes with promote/ },
])('wrong use: models $args', async ({ args, says }) => {
  const { code, stderr } = await models(...args)
  expect([code, stderr]).toEqual([2, expect.stringMatching(says)])
})

test('a model of another class is not sent', async () => {
  const id = await added()
  const { code, stderr } = await models('activate', id, '--class', 'server')
  expect([code, stderr]).toEqual([1, expect.stringMatching(/is of class `drive`, not of `server`/)])
})

async function consoleInCanary(): Promise<{ url: string; produced: readonly Output[] }> {
  const { app, views, produced } = createConsole()
  const canary = { trial: 'canary' as const, canaryPools: ['a', 'b'] as PoolId[] }
  views.fold(outputRecord('models', { ...CLASS_MODELS, ...canary }))
  const server = await listen(app, { host: '127.0.0.1', port: 0 })
  onTestFinished(() => server.close())
  return { url: server.url, produced }
}

test('a console says who serves, who challenges and where', async () => {
  const { url } = await consoleInCanary()
  const { stdout } = await models('list', '--url', url)
  expect(stdout).toMatch(/server +a{12} +b{12} +canary +a, b +21/)
  const json = JSON.parse((await models('list', '--url', url, '--json')).stdout) as object
  expect(json).toMatchObject({
    models: [],
    classes: [{ trial: 'canary', canaryPools: ['a', 'b'] }],
  })
  expect(JSON.parse((await models('list', '--json')).stdout)).toMatchObject({ classes: null })
})

test('the challenger is promoted without its name, to the canary pools or to the fleet', async () => {
  const { url, produced } = await consoleInCanary()
  for (const more of [['--canary'], []]) {
    const { code } = await models('promote', '--class', 'server', '--url', url, ...more)
    expect(code).toBe(0)
  }
  const sent = produced.map(({ value }) => JSON.parse(String(value)) as object)
  expect(sent).toMatchObject([
    { kind: 'model', action: 'canary', model: null, nodeClass: 'server' },
    { kind: 'model', action: 'promote', model: null, nodeClass: 'server' },
  ])
})
