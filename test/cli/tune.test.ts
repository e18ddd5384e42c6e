// Goal: `foreshock tune` tells what it tried, writes what it chose, and Ctrl-C leaves nothing behind.
// Method: src/main.ts as a child process on a small history.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { foreshock, startForeshock, until } from '../support/foreshock-process.ts'
import { writeSmallClass } from '../support/small-class.ts'
import { SMALL_MANIFEST, writeSmallHistory } from '../support/small-history.ts'

const directory = mkdtempSync(join(tmpdir(), 'foreshock-tune-'))
const manifest = join(directory, 'small.toml')
const chosen = join(directory, 'chosen.toml')
let dataDir: string
let classes: string

beforeAll(() => {
  dataDir = writeSmallHistory()
  classes = writeSmallClass(join(directory, 'classes'))
  writeFileSync(manifest, SMALL_MANIFEST)
})
afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
  rmSync(dataDir, { recursive: true, force: true })
})

function argv(...more: string[]): string[] {
  const source = ['--history', manifest, '--data', dataDir, '--node-classes', classes]
  return ['tune', ...source, '--out', chosen, ...more]
}

test('Ctrl-C ends it with a word and writes nothing', async () => {
  const running = startForeshock(argv('--trials', '200'), { cwd: directory })
  await until(() => running.written().stderr.includes('trying parameters'))
  running.signal('SIGINT')
  const { code, stdout, stderr } = await running.ended
  expect(stderr).toMatch(/\nforeshock: tuning was interrupted; nothing was written\n$/)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(readdirSync(directory).sort()).toEqual(['classes', 'small.toml'])
})

test('what it chose is written as TOML, and the trials are told as JSON', async () => {
  const { code, stdout, stderr } = await foreshock(argv('--trials', '3', '--json'), {
    cwd: directory,
  })
  expect(code, stderr).toBe(0)
  const { trials, toml } = JSON.parse(stdout) as {
    trials: { quality: number; trees: number; share: number }[]
    toml: string
  }
  expect(trials).toHaveLength(3)
  expect(trials[0].share).toBe(1)
  expect(toml).toMatch(new RegExp(`^\\[training\\]\ntrees = ${trials[0].trees}\n`))
  expect(existsSync(chosen)).toBe(true)
  expect(readFileSync(chosen, 'utf8')).toBe(toml)
})

test('more than it takes is wrong use', async () => {
  const { code, stderr } = await foreshock(argv('--trials', '501'), { cwd: directory })
  expect(stderr).toBe('foreshock: --trials: 501 is more than 500\n')
  expect(code).toBe(2)
})
