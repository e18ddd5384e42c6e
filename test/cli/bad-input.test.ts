// Goal: what is wrong before the first record is told in words that name it and the mend, and in the
// exit code, without a stack.
// Method: src/main.ts as a child process, as people run it; standard error is compared as a whole.
// Rows that need a broker are skipped, loudly, where there is none.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BAD_INPUTS, type BadInput } from '../support/bad-input.ts'
import { topicSpecs } from '../../src/core/topics.ts'
import { foreshock, serve } from '../support/foreshock-process.ts'
import { kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { createSmallDeployment } from '../support/small-deployment.ts'

const brokers = await kafkaBrokers()
const directory = mkdtempSync(join(tmpdir(), 'foreshock-bad-'))
const small = createSmallDeployment()
const model = join(small.directory, 'model')
const damaged = join(small.directory, 'damaged')
const empty = join(directory, 'empty')
/** Somebody else's port. */
const taken = createServer()

const EMBEDDED = { FORESHOCK_BUS_KIND: 'embedded' }
const smallService = (modelDirectory: string, classes: string) => ({
  ...EMBEDDED,
  FORESHOCK_STATE_DIRECTORY: join(directory, 'small-state'),
  FORESHOCK_NODE_CLASSES_DIRECTORY: classes,
  FORESHOCK_INGEST_DEFAULT_CLASS: 'small-drive',
  FORESHOCK_TOPOLOGY_NODE_PARTITIONS: '1',
  FORESHOCK_TOPOLOGY_POOL_PARTITIONS: '1',
  'FORESHOCK_MODELS_SMALL-DRIVE': modelDirectory,
})
const history = ['--history', small.history, '--node-classes', small.nodeClasses]
const otherClasses = ['--history', small.history, '--node-classes', small.changedClasses]

beforeAll(async () => {
  mkdirSync(empty)
  writeFileSync(join(directory, 'bad.toml'), '[kafka]\nbroker = ["127.0.0.1:9092"]\n')
  await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done))
  const trained = await foreshock(['train', ...history, '--data', small.data, '--out', model], {
    cwd: directory,
  })
  expect(trained.code, trained.stderr).toBe(0)
  mkdirSync(damaged)
  copyFileSync(join(model, 'card.json'), join(damaged, 'card.json'))
  const bytes = readFileSync(join(model, 'model.onnx'))
  bytes[bytes.length >> 1] ^= 1
  writeFileSync(join(damaged, 'model.onnx'), bytes)
})

afterAll(() => {
  taken.close()
  small.remove()
  rmSync(directory, { recursive: true, force: true })
})

interface Row {
  readonly item: BadInput
  readonly argv: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** The whole of standard error. */
  readonly stderr: RegExp
}

/** One line, which begins with the program's name. */
const line = (...parts: readonly string[]): RegExp =>
  new RegExp(`^foreshock: ${parts.join('')}\\n$`)
const literally = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

const OTHER_FEATURES = line(
  'model small was trained on other features than node class `small-drive` has now ',
  '\\(feature hash [0-9a-f]{12}… against [0-9a-f]{12}…\\): .*',
  '; train it again or restore the class it was trained with',
)

const ROWS: readonly Row[] = [
  {
    item: 'unknown configuration key',
    argv: ['topics', 'check', '--config', 'bad.toml'],
    stderr: line(literally('bad.toml: unknown key `kafka.broker`; did you mean `kafka.brokers`?')),
  },
  {
    item: 'unknown configuration key',
    argv: ['serve'],
    env: { FORESHOCK_HTTP_PROT: '8080' },
    stderr: line(literally('FORESHOCK_HTTP_PROT: unknown key `http.prot`; known here: host, port')),
  },
  ...['serve', 'topics check'].map((command) => ({
    item: 'unreachable broker' as const,
    argv: command.split(' '),
    env: { FORESHOCK_KAFKA_BROKERS: '127.0.0.1:9' },
    stderr: new RegExp(
      [1, 2, 3]
        .map(
          (n) => `^foreshock: kafka does not answer, trying again: 127.0.0.1:9 .try ${n} of 4.\n`,
        )
        .join('')
        .replaceAll('\n^', '\n') +
        'foreshock: no Kafka broker answers at 127.0.0.1:9 \\(.*ECONNREFUSED.*\\). ' +
        'Start one there \\(`npm run kafka:up` for a local one\\) or name the right brokers ' +
        'in the configuration.\n$',
    ),
  })),
  {
    item: 'corrupt model',
    argv: ['serve', '--port', '0'],
    env: smallService(damaged, small.nodeClasses),
    stderr: line(
      literally(join(damaged, 'model.onnx')),
      ': its sha256 is [0-9a-f]{12}…, it should be [0-9a-f]{12}…; the model is damaged and is not ',
      'served: train it again, restore it, or add it anew \\(foreshock models add\\)',
    ),
  },
  ...['backtest', 'replay'].map((command) => ({
    item: 'corrupt model' as const,
    argv: [command, ...history, '--data', small.data, '--model', damaged],
    stderr: line(literally(join(damaged, 'model.onnx')), ': its sha256 is .*restore both'),
  })),
  {
    item: 'corrupt model',
    argv: ['serve', '--port', '0'],
    env: smallService(empty, small.nodeClasses),
    stderr: line(
      literally(join(empty, 'card.json')),
      ': no such file; name a directory made by `foreshock train --out`',
    ),
  },
  {
    item: 'model of other features',
    argv: ['serve', '--port', '0'],
    env: smallService(model, small.changedClasses),
    stderr: OTHER_FEATURES,
  },
  ...['backtest', 'replay'].map((command) => ({
    item: 'model of other features' as const,
    argv: [command, ...otherClasses, '--data', small.data, '--model', model],
    stderr: OTHER_FEATURES,
  })),
  ...['train --out never', `backtest --model ${model}`, `replay --model ${model}`].map(
    (command) => ({
      item: 'empty data folder' as const,
      argv: [...command.split(' '), ...history, '--data', empty],
      stderr: line(
        literally(join(empty, 'samples.csv')),
        ': no such file; history `small` needs it: point --data at the directory that holds ',
        'samples.csv, events.csv',
      ),
    }),
  ),
]

test.each(ROWS)('$item: $argv', async ({ argv, env = {}, stderr }) => {
  const ended = await foreshock(argv, { cwd: directory, env })
  expect(ended.stderr).toMatch(stderr)
  expect(ended).toMatchObject({ code: 1, stdout: '' })
})

test('port in use: the address and both ways to choose another', async () => {
  const { port } = taken.address() as AddressInfo
  const env = { ...EMBEDDED, FORESHOCK_STATE_DIRECTORY: join(directory, 'port-state') }
  const ended = await foreshock(['serve', '--port', String(port)], { cwd: directory, env })
  expect(ended.stderr).toBe(
    `foreshock: port ${port} on 127.0.0.1 is in use; stop what listens there or choose another with --port or http.port\n`,
  )
  expect(ended).toMatchObject({ code: 1, stdout: '' })
})

describe('second process on one embedded store', () => {
  test.each([
    { because: 'the service', more: [], store: '.foreshock/bus' },
    { because: 'the demonstration', more: ['--fleet'], store: '.foreshock/demo/bus' },
  ])('$because: names the first, and leaves it alone', async ({ more, store }) => {
    const cwd = mkdtempSync(join(directory, 'store-'))
    const options = { cwd, env: { ...EMBEDDED, FORESHOCK_WATCHER_PREDICTION: 'false' } }
    const first = await serve(options, ...more)
    try {
      const second = await foreshock(['serve', '--port', '0', ...more], options)
      expect(second.stderr).toBe(
        `foreshock: the store in ${join(cwd, store)} is in use by process ${first.process.pid}; stop it or use another state directory\n`,
      )
      expect(second).toMatchObject({ code: 1, stdout: '' })
      await first.untilReadiness(200)
    } finally {
      expect(await first.stop()).toMatchObject({ code: 0 })
    }
  })
})

describe.skipIf(brokers === null)('topics of a deployment', () => {
  const prefix = uniquePrefix('bad')
  const topology = {
    nodePartitions: 2,
    poolPartitions: 1,
    clock: 'arrival',
    retentionMs: 1,
  } as const
  const topicCount = topicSpecs({ ...topology, prefix }).length
  const env = (name: string, partitions: number) => ({
    FORESHOCK_KAFKA_BROKERS: (brokers ?? []).join(','),
    FORESHOCK_TOPOLOGY_PREFIX: `${prefix}${name}.`,
    FORESHOCK_TOPOLOGY_NODE_PARTITIONS: String(partitions),
    FORESHOCK_TOPOLOGY_POOL_PARTITIONS: '1',
  })

  test('missing topics: the first, how many more, and the command that makes them', async () => {
    const options = { cwd: directory, env: env('none', 2) }
    const served = await foreshock(['serve', '--port', '0'], options)
    expect(served.stderr).toBe(
      `foreshock: topic ${prefix}none.telemetry: no such topic, expected 2 partitions; run foreshock topics create (and ${topicCount - 1} more: foreshock topics check)\n`,
    )
    expect(served).toMatchObject({ code: 1, stdout: '' })
    const checked = await foreshock(['topics', 'check'], options)
    expect(checked).toMatchObject({ code: 1, stderr: '' })
    expect(checked.stdout.match(/no such topic.*run foreshock topics create/g)).toHaveLength(
      topicCount,
    )
  })

  test('wrong partition count: found, expected, and the keys to set', async () => {
    const created = await foreshock(['topics', 'create'], {
      cwd: directory,
      env: env('wrong', 1),
    })
    expect(created.code, created.stderr).toBe(0)
    const options = { cwd: directory, env: env('wrong', 2) }
    const served = await foreshock(['serve', '--port', '0'], options)
    expect(served.stderr).toMatch(
      line(
        literally(`topic ${prefix}wrong.telemetry: 1 partitions, expected 2 partitions; `),
        'set topology.node_partitions or pool_partitions to what exists, or use another ',
        'topology.prefix \\(and \\d+ more: foreshock topics check\\)',
      ),
    )
    expect(served).toMatchObject({ code: 1, stdout: '' })
    const checked = await foreshock(['topics', 'check'], options)
    expect(checked).toMatchObject({ code: 1, stderr: '' })
    expect(checked.stdout).toMatch(/wrong\.telemetry +1 partitions +2 partitions +set topology/)
  })
})

test('every kind of bad input is met in its suite', () => {
  const root = resolve(import.meta.dirname, '../..')
  for (const [item, suite] of Object.entries(BAD_INPUTS)) {
    expect(readFileSync(join(root, suite), 'utf8'), suite).toContain(`'${item}`)
  }
})
