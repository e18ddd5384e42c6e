import { expect, test } from 'vitest'
import { runCli } from '../../../src/commands/cli.ts'
import type { Command } from '../../../src/commands/command.ts'
import { ServiceError } from '../../../src/core/errors.ts'
import { createIo } from '../../support/io.ts'

const replay: Command = {
  name: 'replay',
  summary: 'stream a history through the service',
  options: {
    data: { kind: 'text', value: 'DIR', summary: 'folder of the data' },
    only: { kind: 'list', value: 'NODE', summary: 'nodes to take' },
    for: { kind: 'text', value: 'TIME', summary: 'end after this' },
    speed: { kind: 'text', value: 'N', summary: 'times real time', fallback: '1' },
    bus: { kind: 'text', value: 'KIND', summary: 'kafka or embedded' },
  },
  async run(args, io) {
    const values = {
      json: args.flag('json'),
      data: args.required('data'),
      only: args.list('only'),
      forMs: args.duration('for'),
      speed: args.number('speed', 1),
      bus: args.choice('bus', ['kafka', 'embedded']),
    }
    io.stdout(JSON.stringify(values))
    return 0
  },
}

const broken: Command = {
  name: 'broken',
  summary: 'fails',
  operands: 'expected|bug',
  options: {},
  run: async (args) => {
    if (args.operands[0] === 'bug') throw new Error('bug: it broke')
    throw new ServiceError('PORT_IN_USE', 'port 8080 is in use; choose another')
  },
}

async function run(...argv: string[]) {
  const { io, written } = createIo()
  const registry = { replay: async () => replay, broken: async () => broken }
  const code = await runCli(registry, argv, io)
  return { code, ...written }
}

test('options arrive as what they mean', async () => {
  const { code, stdout } = await run(
    'replay',
    '--data',
    'd',
    '--only',
    'a',
    '--only=b',
    '--for',
    '90s',
    '--speed',
    '5',
    '--bus=kafka',
    '--json',
  )
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toEqual({
    json: true,
    data: 'd',
    only: ['a', 'b'],
    forMs: 90_000,
    speed: 5,
    bus: 'kafka',
  })
})

test.each([
  { argv: ['repaly'], message: 'unknown command repaly; did you mean replay?' },
  { argv: ['xyzzyplugh'], message: 'unknown command xyzzyplugh (foreshock --help lists them)' },
  { argv: ['constructor'], message: 'unknown command constructor' },
  { argv: ['replay', '--dta', 'd'], message: 'replay: unknown option --dta; did you mean --data?' },
  { argv: ['replay', '--__proto__'], message: 'replay: unknown option --__proto__' },
  { argv: ['replay', '-x'], message: 'replay: unknown option -x' },
  { argv: ['replay'], message: '--data is required' },
  { argv: ['replay', '--data'], message: 'replay: --data needs a value (DIR)' },
  { argv: ['replay', '--data', '--json'], message: 'replay: --data needs a value (DIR)' },
  { argv: ['replay', '--data', 'a', '--data', 'b'], message: 'replay: --data is given twice' },
  { argv: ['replay', '--json=yes'], message: 'replay: --json takes no value' },
  { argv: ['replay', 'now'], message: 'replay: unexpected "now"' },
  {
    argv: ['replay', '--data', 'd', '--for', 'long'],
    message: '--for: "long" is no length of time',
  },
  {
    argv: ['replay', '--data', 'd', '--speed', '0'],
    message: '--speed: "0" is no whole number from 1',
  },
  {
    argv: ['replay', '--data', 'd', '--bus', 'nats'],
    message: '--bus: "nats" is none of kafka, emb',
  },
])('$argv is wrong use: $message', async ({ argv, message }) => {
  const { code, stdout, stderr } = await run(...argv)
  expect(code).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).toContain(`foreshock: ${message}`)
  expect(stderr.trimEnd()).not.toContain('\n')
})

test('an expected failure is one line and exit code 1', async () => {
  const { code, stderr } = await run('broken', 'expected')
  expect(code).toBe(1)
  expect(stderr).toBe('foreshock: port 8080 is in use; choose another\n')
})

test('a bug keeps its stack', async () => {
  const { code, stderr } = await run('broken', 'bug')
  expect(code).toBe(1)
  expect(stderr).toContain('bug: it broke')
  expect(stderr).toContain('cli.test.ts')
})

test('help lists every command, and asking for it is no wrong use', async () => {
  const { code, stdout } = await run('--help')
  expect(code).toBe(0)
  expect(stdout).toMatch(/replay +stream a history through the service/)
  expect(stdout).toMatch(/broken +fails/)
})

test('no command at all is wrong use and shows the same', async () => {
  const { code, stdout, stderr } = await run()
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toContain('usage: foreshock COMMAND')
})

test('the help of a command shows each option with its placeholder and default', async () => {
  const { code, stdout } = await run('replay', '--help')
  expect(code).toBe(0)
  expect(stdout).toContain('usage: foreshock replay [options]')
  expect(stdout).toMatch(/--data DIR +folder of the data/)
  expect(stdout).toMatch(/--speed N +times real time \(1\)/)
  expect(stdout).toMatch(/--json +print the result as JSON/)
})
