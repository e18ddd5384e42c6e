// Goal: `foreshock tune-policy` tells what it tried and whether it is adopted, and Ctrl-C ends it, with its
// worlds, and writes nothing. Wrong use is in test/unit/commands/tune-policy.test.ts.
// Method: src/main.ts as a child process on tiny worlds.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { foreshock, startForeshock, until } from '../support/foreshock-process.ts'

const directory = mkdtempSync(join(tmpdir(), 'foreshock-tune-policy-'))
const out = join(directory, 'tuned.toml')
const config = join(directory, 'own.toml')
const HEAVY = resolve(import.meta.dirname, '../../faults/heavy.toml')
writeFileSync(config, '[policy]\nattempts_max = 2\n')
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function argv(...more: string[]): string[] {
  const size = ['--nodes', '5', '--hours', '0.05', '--worlds', '20', '--seeds', '5']
  return ['tune-policy', '--faults', HEAVY, '--config', config, '--out', out, ...size, ...more]
}

test('a run tells what it tried as JSON', async () => {
  const given = argv('--only', 'policy.attempts_max', '--json')
  const { code, stdout, stderr } = await foreshock(given, { cwd: directory })
  expect(code, stderr).toBe(0)
  const report = JSON.parse(stdout) as {
    adopted: boolean
    toml: string | null
    command: string
    search: Record<string, unknown> & { best: { changes: unknown[] }[] }
  }
  expect(Object.keys(report)).toEqual([
    'adopted',
    'gainRatio',
    'gainInterval',
    'changes',
    'cost',
    'search',
    'judgedSeeds',
    'refused',
    'command',
    'toml',
  ])
  expect(Object.keys(report.search)).toEqual(['candidates', 'seeds', 'gainRatio', 'best'])
  expect(report.search).toMatchObject({ candidates: 3, seeds: [20_000, 20_008] })
  expect(report.search.best[0].changes).toMatchObject([{ key: 'policy.attempts_max', from: '2' }])
  expect(report.command).toContain(`--config ${config} --nodes 5`)
  expect(stderr).toMatch(/search\s+100 %\s+\d+ s\s+4 of 4 worlds, 0 broke a promise\n/)
  expect(readdirSync(directory).includes('tuned.toml')).toBe(report.adopted)
  expect(report.toml !== null).toBe(report.adopted)
})

test('Ctrl-C ends it with a word and writes nothing', async () => {
  const running = startForeshock(argv(), { cwd: directory })
  await until(() => running.written().stderr.includes('search'))
  running.signal('SIGINT')
  const { code, stdout, stderr } = await running.ended
  expect(stderr).toMatch(/\nforeshock: tuning was interrupted; nothing was written\n$/)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(readdirSync(directory).filter((name) => name.startsWith('tuned'))).toEqual([])
})

test('wrong use is one line, before the first world', async () => {
  const { code, stdout, stderr } = await foreshock(argv('--bound', 'policy.budget=0.1'), {
    cwd: directory,
  })
  expect(stderr).toMatch(/^foreshock: --bound: "policy.budget=0.1" is no KEY=LOW..HIGH.*\n$/)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
})
