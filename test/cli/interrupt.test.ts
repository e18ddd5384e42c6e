// Goal: Ctrl-C ends long work soon, with a word, and leaves nothing that looks whole.
// Method: src/main.ts as a child process, interrupted once it says how far it has come.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { startForeshock, until } from '../support/foreshock-process.ts'

const directory = mkdtempSync(join(tmpdir(), 'foreshock-interrupt-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test.each(['SIGINT', 'SIGTERM'] as const)('fleet ends on %s', async (signal) => {
  const history = join(directory, signal)
  const argv = ['fleet', '--history', history, '--nodes', '200', '--for', '52w']
  const running = startForeshock(argv, { cwd: directory })
  await until(() => running.written().stderr.includes('%'))
  running.signal(signal)
  const { code, stdout, stderr } = await running.ended
  expect(stderr).toMatch(/\nforeshock: interrupted: the history was not written\n$/)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(readdirSync(history)).toEqual([])
})
