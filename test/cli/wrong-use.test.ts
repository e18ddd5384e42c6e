// Goal: a user's mistake is one clear line and the right exit code, in the real process.
// Method: src/main.ts is run as a child process, as people run it.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const directory = mkdtempSync(join(tmpdir(), 'foreshock-cli-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function foreshock(argv: readonly string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      '--import',
      resolve(root, 'node_modules/tsx/dist/esm/index.mjs'),
      join(root, 'src/main.ts'),
      ...argv,
    ],
    { cwd: directory, encoding: 'utf8', env: { ...process.env, ...env } },
  )
  return { status, stdout, stderr }
}

test.each([
  { argv: ['topic', 'check'], message: 'unknown command topic; did you mean topics?' },
  { argv: ['topics'], message: 'topics: say create, check, grant or copy' },
  { argv: ['topics', 'grant'], message: 'topics grant: name at least one ROLE=USER' },
  {
    argv: ['topics', 'grant', 'boss=eve'],
    message: 'topics grant: "boss=eve" is no ROLE=USER; roles: ingest, watcher, coordinator',
  },
  { argv: ['topics', 'copy'], message: 'topics copy: name another deployment with --from' },
  {
    argv: ['topics', 'check', '--jsn'],
    message: 'topics: unknown option --jsn; did you mean --json?',
  },
])('$argv ends with 2 and one line: $message', ({ argv, message }) => {
  const { status, stdout, stderr } = foreshock(argv)
  expect(stderr).toContain(`foreshock: ${message}`)
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  expect([status, stdout]).toEqual([2, ''])
})

test('a mistake in the configuration names file and key, without a stack', () => {
  const file = join(directory, 'bad.toml')
  writeFileSync(file, '[kafka]\nbroker = ["127.0.0.1:9092"]\n')
  const { status, stderr } = foreshock(['topics', 'check', '--config', file])
  expect(stderr).toContain('bad.toml')
  expect(stderr).toContain('kafka.broker')
  expect(stderr).not.toContain('    at ')
  expect(status).toBe(1)
})

test('help is on standard output and fine', () => {
  const { status, stdout, stderr } = foreshock(['topics', '--help'])
  expect(stdout).toContain(
    'usage: foreshock topics create | check | grant ROLE=USER ... | copy --from PREFIX [options]',
  )
  expect([status, stderr]).toEqual([0, ''])
})
