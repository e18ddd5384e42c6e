// Goal: a running service takes its changed file at SIGHUP and by the command line, whole or not at all, and
// what it took is in force after a restart.
// Method: src/main.ts as child processes, on an embedded bus.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { foreshock, type ForeshockProcess, startForeshock } from '../support/foreshock-process.ts'
import { until } from '../support/until.ts'

const directory = mkdtempSync(join(tmpdir(), 'foreshock-reload-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const HEAD = `[bus]
kind = "embedded"
[watcher]
prediction = false
[topology]
node_partitions = 1
pool_partitions = 2
`
const write = (text: string) => writeFileSync(join(directory, 'foreshock.toml'), `${HEAD}${text}`)
const running: ForeshockProcess[] = []

interface InForce {
  readonly version: string | null
  readonly by: string | null
  readonly keys: Readonly<Record<string, string>>
}

/** The address of its console, once it is ready. */
async function started(): Promise<string> {
  const service = startForeshock(['serve', '--port', '0'], { cwd: directory })
  running.push(service)
  let url = ''
  await until('the service is ready', 120_000, async () => {
    url = /console at (\S+)/.exec(service.written().stderr)?.[1] ?? ''
    return url !== '' && (await fetch(`${url}/readyz`)).ok
  })
  return url
}

async function ended(): Promise<void> {
  const service = running.pop()!
  service.signal('SIGTERM')
  expect((await service.ended).code).toBe(0)
}

const inForce = async (url: string) => (await (await fetch(`${url}/v1/config`)).json()) as InForce

async function untilBudget(url: string, budget: string): Promise<InForce> {
  let found = await inForce(url)
  await until(`a budget of ${budget}`, 60_000, async () => {
    found = await inForce(url)
    return found.keys['policy.budget'] === budget
  })
  return found
}

test('SIGHUP, the command line and a restart take the file; a bad one changes nothing', async () => {
  write('[policy]\nbudget = 0.1\n')
  let url = await started()
  expect(await inForce(url)).toMatchObject({ version: null, keys: { 'policy.budget': '0.1' } })

  write('[policy]\nbudget = 0.2\n')
  running[0].signal('SIGHUP')
  expect(await untilBudget(url, '0.2')).toMatchObject({ by: 'SIGHUP' })

  write('[policy]\nbudget = 7\n')
  running[0].signal('SIGHUP')
  const stderr = () => running[0].written().stderr
  await until('it is refused', 30_000, () => stderr().includes('`policy.budget`'))

  const reload = (reason: string) =>
    foreshock(['config', 'reload', '--url', url, '--by', 'ada', '--reason', reason], {
      cwd: directory,
    })
  write('[policy]\nbudget = 0.3\n[http]\nport = 1\n')
  const fixed = await reload('both')
  expect(fixed).toMatchObject({ code: 1, stderr: expect.stringContaining('`http.port`') })
  expect((await inForce(url)).keys['policy.budget']).toBe('0.2')

  write('[policy]\nbudget = 0.3\n')
  expect(await reload('more room')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('policy.budget: 0.2 → 0.3'),
  })
  const { version } = await untilBudget(url, '0.3')

  await ended()
  url = await started()
  expect(await untilBudget(url, '0.3')).toMatchObject({ version, by: 'ada' })
  await ended()
  write('[policy]\nbudget = 0.4\n')
  url = await started()
  expect(await untilBudget(url, '0.4')).toMatchObject({ by: 'start' })
  await ended()
}, 300_000)
