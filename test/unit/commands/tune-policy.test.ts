// Goal: wrong use of `tune-policy` is told before the first world, with the option and its mend.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { runCli } from '../../../src/commands/cli.ts'
import { command } from '../../../src/commands/tune-policy.ts'

const directory = mkdtempSync(join(tmpdir(), 'foreshock-tune-policy-'))
const wrong = join(directory, 'wrong.toml')
const contrary = join(directory, 'contrary.toml')
writeFileSync(wrong, '[clocks]\nskewed = [0.4, 0.1]\nskew = ["10ms", "1s"]\n')
writeFileSync(contrary, '[policy]\ntarget_load_max = 0.9\nrecovery_load_max = 0.5\n')
afterAll(() => rmSync(directory, { recursive: true, force: true }))

async function ran(argv: readonly string[]) {
  let [stdout, stderr] = ['', '']
  const code = await runCli({ 'tune-policy': async () => command }, ['tune-policy', ...argv], {
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
    isTTY: false,
    env: {},
    signal: AbortSignal.abort(),
    nowMs: () => 0,
  })
  return { code, stdout, stderr }
}

test.each([
  { argv: ['--worlds', '99'], code: 2, message: '--worlds: 5 faults files need at least 100' },
  { argv: ['--worlds', '10001'], code: 2, message: '--worlds: 10001 is more than 10000' },
  { argv: ['--nodes', '2'], code: 2, message: '--nodes: "2" is no whole number from 3 on' },
  { argv: ['--nodes', '1001'], code: 2, message: '--nodes: 1001 is more than 1000' },
  { argv: ['--hours', '0'], code: 2, message: '--hours: "0" is no number from 0.01 on' },
  { argv: ['--hours', '25'], code: 2, message: '--hours: 25 is more than 24' },
  { argv: ['--seeds', '4'], code: 2, message: '--seeds: "4" is no whole number from 5 on' },
  { argv: ['--seed', '-1'], code: 2, message: '--seed: "-1" is no whole number from 0 on' },
  { argv: ['--seed', '100001'], code: 2, message: '--seed: 100001 is more than 100000' },
  { argv: ['--only', 'policy.budge'], code: 2, message: 'did you mean policy.budget?' },
  { argv: ['--bound', 'policy.budget=0.1'], code: 2, message: 'is no KEY=LOW..HIGH' },
  { argv: ['--faults', wrong, '--faults', wrong], code: 2, message: 'a file is given twice' },
  { argv: ['--faults', wrong], code: 1, message: '`clocks.skewed`: expected [least, most]' },
  { argv: ['--faults', 'none.toml'], code: 1, message: 'none.toml: cannot be read; name a faults' },
  { argv: ['--config', 'none.toml'], code: 1, message: 'none.toml: cannot read the file' },
  { argv: ['--config', contrary], code: 1, message: 'recovery_load_max: 0.5 is too little' },
  {
    argv: ['--out', join(directory, 'nowhere', 'tuned.toml')],
    code: 2,
    message: `--out: there is no folder ${join(directory, 'nowhere')}; make it first`,
  },
  {
    argv: ['--only', 'policy.attempts_max', '--bound', 'policy.attempts_max=3..3'],
    code: 2,
    message: 'the bounds of policy.attempts_max leave nothing that is sound',
  },
])('$argv: $message', async ({ argv, code, message }) => {
  const told = await ran(argv)
  expect(told.stderr).toContain(message)
  expect(told.stderr.trimEnd().split('\n')).toHaveLength(1)
  expect(told).toMatchObject({ code, stdout: '' })
})

test('what is asked for rightly goes on to the worlds, and ends where it was interrupted', async () => {
  const { code, stdout, stderr } = await ran(['--worlds', '100', '--only', 'policy.budget'])
  expect(stderr).toContain('foreshock: tuning was interrupted; nothing was written\n')
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
})
