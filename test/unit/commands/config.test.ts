// Goal: the configuration from the command line: shown, checked and reloaded, with exit codes 0, 1 and 2.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { runCli } from '../../../src/commands/cli.ts'
import { command } from '../../../src/commands/config.ts'
import { ServiceError } from '../../../src/core/errors.ts'
import type { ConfigPort } from '../../../src/http/config.ts'
import { listen } from '../../../src/http/server.ts'
import { createConsole } from '../../support/console.ts'
import { createIo } from '../../support/io.ts'

let file: string

beforeEach(() => {
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-config-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  file = join(directory, 'foreshock.toml')
  writeFileSync(
    file,
    '[policy]\nbudget = 0.2\n[kafka.sasl]\nmechanism = "plain"\nusername = "u"\npassword = "hush"\n',
  )
})

async function config(...args: readonly string[]) {
  const { io, written } = createIo()
  const code = await runCli(
    { config: async () => command },
    ['config', ...args, '--config', file],
    io,
  )
  return { code, ...written }
}

async function consoleOf(port: Partial<ConfigPort>): Promise<string> {
  const figures = () => ({ said: null, pools: [], takenBackCount: 0 })
  const { app } = createConsole({ config: { keys: () => ({}), figures, reload: null, ...port } })
  const server = await listen(app, { host: '127.0.0.1', port: 0 })
  onTestFinished(() => server.close())
  return server.url
}

test('show lists every key, says which needs a restart, and hides secrets', async () => {
  const { code, stdout } = await config('show')
  expect(code).toBe(0)
  expect(stdout).toMatch(/^policy\.budget +0\.2 +reload$/m)
  expect(stdout).toMatch(/^http\.port +8080 +restart$/m)
  expect(stdout).toMatch(/^kafka\.sasl\.password +\(hidden\) +restart$/m)
  expect(stdout).not.toContain('hush')
  const json = JSON.parse((await config('show', '--json')).stdout) as { keys: object[] }
  expect(json.keys).toContainEqual({ key: 'policy.budget', value: '0.2', restart: false })
})

test('check says what is wrong and where, with 1, and what a service would change', async () => {
  expect(await config('check')).toMatchObject({ code: 0, stdout: expect.stringMatching(/valid/) })
  const { keys } = JSON.parse((await config('show', '--json')).stdout) as {
    keys: { key: string; value: string }[]
  }
  const inForce = Object.fromEntries(keys.map(({ key, value }) => [key, value]))
  const url = await consoleOf({ keys: () => inForce })
  expect(await config('check', '--url', url)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/in force/),
  })
  inForce['policy.budget'] = '0.1'
  const changed = await config('check', '--url', url)
  expect(changed).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/policy\.budget: 0\.1 → 0\.2/),
  })
  inForce['http.port'] = '1'
  const fixed = await config('check', '--url', url, '--json')
  expect(fixed.code).toBe(1)
  expect(JSON.parse(fixed.stdout)).toMatchObject({ valid: true, restart: ['http.port'] })
  writeFileSync(file, '[policy]\nbudget = 3\n')
  const wrong = await config('check')
  expect(wrong.code).toBe(1)
  expect(wrong.stderr).toContain('`policy.budget`')
})

test('reload asks the service, tells what changes, and fails with what it refuses', async () => {
  const changes = [{ key: 'policy.budget', from: null, to: '0.2' }]
  const asked: string[] = []
  const url = await consoleOf({
    reload: async (by, reason) => {
      asked.push(`${by}: ${reason}`)
      if (asked.length > 1) throw new ServiceError('CONFIG_FIXED', '`http.port`: needs a restart')
      return { version: 'sha256:1', changes, unwatched: [] }
    },
  })
  const done = await config('reload', '--url', url, '--reason', 'more room', '--by', 'ada')
  expect(done).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/policy\.budget: \(default\) → 0\.2/),
  })
  const refused = await config('reload', '--url', url, '--reason', 'again')
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/409.*http\.port.*needs a restart/),
  })
  expect(asked).toEqual(['ada: more room', 'command line: again'])
})

test.each([
  { args: [], told: 'give one of show, check, reload' },
  { args: ['alter'], told: 'give one of show, check, reload' },
  { args: ['show', 'more'], told: 'give one of show, check, reload' },
  { args: ['reload'], told: '--reason is required' },
])('config $args is wrong use', async ({ args, told }) => {
  expect(await config(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(told) })
})

test('a service that does not answer is 1, and so is the demonstration, which has no file', async () => {
  const gone = await config('reload', '--url', 'http://127.0.0.1:9', '--reason', 'r')
  expect(gone.code).toBe(1)
  const demo = await config('reload', '--url', await consoleOf({}), '--reason', 'r')
  expect(demo).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/the demonstration has settings of its own/),
  })
})
