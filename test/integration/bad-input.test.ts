// Goal: a running service tells of every bad record, by reason and place, and goes on; of a broker
// that is gone it tells in its readiness, and is ready again by itself.
// Method: the whole service as a child process. Each row is sent over HTTP to a service on the
// embedded bus and as a record to one on a real broker, and must come back as a dead letter.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  Float64,
  Int32,
  Table,
  TimestampMillisecond,
  Utf8,
  tableToIPC,
  vectorFromArray,
} from 'apache-arrow'
import type { Vector } from 'apache-arrow'
import { afterAll, describe, expect, test } from 'vitest'
import { openEmbeddedBus } from '../../src/bus/embedded/embedded-bus.ts'
import { openKafkaBus } from '../../src/bus/kafka/bus.ts'
import type { Bus, LogRecord } from '../../src/core/bus.ts'
import { toBytes } from '../../src/core/bytes.ts'
import type { BadInput } from '../support/bad-input.ts'
import { foreshock, serve, until, type Served } from '../support/foreshock-process.ts'
import { kafkaBrokers, uniquePrefix } from '../support/kafka.ts'

const brokers = await kafkaBrokers()
const directory = mkdtempSync(join(tmpdir(), 'foreshock-bad-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const JSON_TYPE = 'application/json'
const ARROW_TYPE = 'application/vnd.apache.arrow.stream'
const RECORD_BYTES_MAX = 2_000_000
/** A running service takes the present only. */
const AT = Date.now()

interface Row {
  readonly item: BadInput
  readonly what: string
  readonly type: string
  readonly body: string | Uint8Array
  readonly reason: string
  readonly detail: RegExp
}

const json = (sample: object): string => JSON.stringify({ node: 'n1', at: AT, ...sample })
const arrow = (columns: Readonly<Record<string, Vector>>): Uint8Array =>
  tableToIPC(
    new Table({
      node: vectorFromArray(['n1'], new Utf8()),
      at: vectorFromArray([AT], new TimestampMillisecond()),
      ...columns,
    }),
    'stream',
  )

const ROWS: readonly Row[] = [
  {
    item: 'wrong Arrow types',
    what: 'times as numbers',
    type: ARROW_TYPE,
    body: arrow({ at: vectorFromArray([AT], new Float64()) }),
    reason: 'column-type',
    detail: /^column `at` is Float\d*; expected a timestamp in ms$/,
  },
  {
    item: 'wrong Arrow types',
    what: 'a metric as text',
    type: ARROW_TYPE,
    body: arrow({ cpu_temperature: vectorFromArray(['61.5'], new Utf8()) }),
    reason: 'column-type',
    detail: /^column `cpu_temperature` is Utf8; expected float64 or float32$/,
  },
  {
    item: 'wrong Arrow types',
    what: 'nodes as numbers',
    type: ARROW_TYPE,
    body: arrow({ node: vectorFromArray([17], new Int32()) }),
    reason: 'column-type',
    detail: /^column `node` is Int\d*; expected utf8 or a dictionary of utf8$/,
  },
  {
    item: 'schema mismatch',
    what: 'a class that nobody knows',
    type: JSON_TYPE,
    body: json({ class: 'sever', metrics: {} }),
    reason: 'class-unknown',
    detail: /^`class` is "sever"; known are: drive, machine, server, turbofan$/,
  },
  {
    item: 'schema mismatch',
    what: 'a metric as text',
    type: JSON_TYPE,
    body: json({ metrics: { cpu_temperature: '61.5' } }),
    reason: 'metric-not-a-number',
    detail: /^metric `cpu_temperature` is a string; expected a number or null$/,
  },
  {
    item: '64 KB node id',
    what: 'in JSON',
    type: JSON_TYPE,
    body: json({ node: 'n'.repeat(65_536) }),
    reason: 'node-invalid',
    detail: /^`node` is longer than 256 bytes: "n{60}…"$/,
  },
  {
    item: '64 KB node id',
    what: 'in Arrow',
    type: ARROW_TYPE,
    body: arrow({ node: vectorFromArray(['n'.repeat(65_536)], new Utf8()) }),
    reason: 'node-invalid',
    detail: /^row 1: `node` is longer than 256 bytes: "n{60}…"$/,
  },
  {
    item: 'time stamp in the future',
    what: 'by a day',
    type: JSON_TYPE,
    body: json({ at: AT + 86_400_000 }),
    reason: 'in-the-future',
    detail:
      /^`at` is 86\d\d\d s ahead of the log, more than the 300 s allowed; check the node's clock and that the unit is ms$/,
  },
  {
    item: 'time stamp in the past',
    what: 'by a year',
    type: JSON_TYPE,
    body: json({ at: AT - 365 * 86_400_000 }),
    reason: 'too-old',
    detail:
      /^`at` is 36\d days old, more than the \d+ allowed; check that the unit is ms, and send history through foreshock replay$/,
  },
]

const settings = {
  FORESHOCK_WATCHER_PREDICTION: 'false',
  FORESHOCK_INGEST_RECORD_BYTES_MAX: String(RECORD_BYTES_MAX),
  FORESHOCK_TOPOLOGY_NODE_PARTITIONS: '1',
  FORESHOCK_TOPOLOGY_POOL_PARTITIONS: '1',
}

async function deadLetters(bus: Bus, topic: string, count: number): Promise<readonly LogRecord[]> {
  const reader = await bus.read({ topic, from: 'start' })
  const found: LogRecord[] = []
  await until(async () => {
    found.push(...(await reader.take(200)))
    return found.length >= count
  })
  await reader.close()
  return found
}

/** The rows, in their order, each with its own place. */
function expectLetters(letters: readonly LogRecord[], topic: string): void {
  expect(letters.map(({ headers }) => headers['reason'])).toEqual(ROWS.map((row) => row.reason))
  for (const [index, { headers }] of letters.entries()) {
    expect(headers['detail']).toMatch(ROWS[index].detail)
    const place = { topic, partition: '0', offset: String(index), 'content-type': ROWS[index].type }
    expect(headers).toMatchObject(place)
  }
}

/** Of the metrics: how many dead letters the console has seen, whatever their reason. */
function letterCount(metrics: string): number {
  const counts = metrics.matchAll(/^foreshock_dead_letters_total\{.*\} (\d+)$/gm)
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0)
}

describe('over HTTP, on the embedded bus', () => {
  test('each bad record becomes a dead letter with its reason and place', async () => {
    const cwd = mkdtempSync(join(directory, 'http-'))
    const served = await serve({ cwd, env: { ...settings, FORESHOCK_BUS_KIND: 'embedded' } })
    for (const { type, body } of ROWS) {
      const answer = await served.post('/v1/telemetry', body as BodyInit, type)
      expect(answer).toMatchObject({ status: 202 })
    }
    await until(async () => letterCount((await served.get('/metrics')).body) === ROWS.length)
    await expectAnswers(served)
    await served.untilReadiness(200)
    const ended = await served.stop()
    expect(ended).toMatchObject({ code: 0, stdout: '' })
    expect(ended.stderr).toMatch(/^foreshock: console at \S+\n$/)
    const bus = await openEmbeddedBus({ directory: join(cwd, '.foreshock/bus') })
    try {
      const letters = await deadLetters(bus, 'foreshock.dead-letter', ROWS.length)
      expectLetters(letters, 'foreshock.telemetry')
    } finally {
      await bus.close()
    }
  })
})

/** What can never be telemetry is refused at once, and never becomes a record. */
async function expectAnswers(served: Served): Promise<void> {
  const answers = [
    {
      item: '10 MB message',
      body: '[' + ' '.repeat(10_000_000) + ']',
      type: JSON_TYPE,
      problem: {
        status: 413,
        code: 'RECORD_TOO_LARGE',
        detail: `at most ${RECORD_BYTES_MAX} bytes are taken; send smaller batches`,
      },
    },
    {
      item: 'schema mismatch',
      body: '{"node":"n1"}\nnode=n1\n',
      type: JSON_TYPE,
      problem: { status: 400, code: 'INPUT_INVALID', detail: 'line 2 is not JSON' },
    },
    {
      item: 'wrong Arrow types',
      body: 'node=n1',
      type: ARROW_TYPE,
      problem: {
        status: 400,
        code: 'INPUT_INVALID',
        detail: 'the body is no Arrow IPC stream: a message is cut off',
      },
    },
  ]
  for (const { body, type, problem } of answers) {
    const answer = await served.post('/v1/telemetry', body, type)
    expect(answer.status).toBe(problem.status)
    expect(JSON.parse(answer.body)).toMatchObject(problem)
  }
}

describe.skipIf(brokers === null)('as records, on a real broker', () => {
  test('each bad record becomes a dead letter with its reason and place', async () => {
    const prefix = uniquePrefix('bad-records')
    const env = {
      ...settings,
      FORESHOCK_KAFKA_BROKERS: (brokers ?? []).join(','),
      FORESHOCK_TOPOLOGY_PREFIX: prefix,
    }
    const options = { cwd: directory, env }
    expect(await foreshock(['topics', 'create'], options)).toMatchObject({ code: 0, stderr: '' })
    const served = await serve(options)
    const bus = await openKafkaBus({ brokers: brokers ?? [], clientId: 'bad-records', prefix })
    try {
      const telemetry = { topic: `${prefix}telemetry`, partition: 0, key: 'sender-1' }
      for (const { type, body } of ROWS) {
        await bus.produce([{ ...telemetry, value: body, headers: { 'content-type': type } }])
      }
      const long = new Uint8Array(RECORD_BYTES_MAX + 1)
      await bus.produce([{ ...telemetry, value: long }])
      const whole = { ...telemetry, value: new Uint8Array(10_000_000) }
      await expect(bus.produce([whole])).rejects.toMatchObject({
        code: 'RECORD_TOO_LARGE',
        message: `a record of 10000072 bytes for ${prefix}telemetry[0] exceeds the limit of 8388608: split it`,
      })
      const letters = await deadLetters(bus, `${prefix}dead-letter`, ROWS.length + 1)
      expectLetters(letters.slice(0, -1), `${prefix}telemetry`)
      expect(letters.at(-1)).toMatchObject({
        key: toBytes('sender-1'),
        headers: {
          reason: 'too-large',
          detail: `the record has ${long.length} bytes, more than the ${RECORD_BYTES_MAX} of ingest.record_bytes_max; send smaller ones`,
          topic: `${prefix}telemetry`,
          partition: '0',
          offset: String(ROWS.length),
          'truncated-from': String(long.length),
        },
      })
      expect(letters.at(-1)?.value).toHaveLength(65_536)
      await served.untilReadiness(200)
    } finally {
      await bus.close()
      expect(await served.stop()).toMatchObject({ code: 0, stdout: '' })
    }
  })
})

const OWN_PORT = 19_492
const own = brokers !== null && !process.env['FORESHOCK_TEST_BROKERS']

describe.skipIf(!own)('broker that goes away', () => {
  test('is told by readiness and to senders, until it is back', async () => {
    await ownBroker('up', '--fresh')
    const env = { ...settings, FORESHOCK_KAFKA_BROKERS: `127.0.0.1:${OWN_PORT}` }
    const options = { cwd: directory, env }
    try {
      expect(await foreshock(['topics', 'create'], options)).toMatchObject({ code: 0, stderr: '' })
      const served = await serve(options)
      await served.untilReadiness(200)
      await ownBroker('down')
      const problem = JSON.parse(await served.untilReadiness(503)) as object
      expect(problem).toMatchObject({
        title: 'Not ready',
        code: 'NOT_READY',
        detail: expect.stringMatching(/^the bus is not connected \(last error: .+\)/),
      })
      const refused = await served.post('/v1/telemetry', json({}), JSON_TYPE)
      expect(refused.status).toBe(503)
      expect(JSON.parse(refused.body)).toMatchObject({
        code: 'BUS_UNREACHABLE',
        detail: expect.stringMatching(
          /^the bus is not connected: .+; nothing was taken, send it again later$/,
        ),
      })
      expect(await served.get('/healthz')).toMatchObject({ status: 200 })
      await ownBroker('up')
      await served.untilReadiness(200)
      const taken = await served.post('/v1/telemetry', json({}), JSON_TYPE)
      expect(taken.status).toBe(202)
      const ended = await served.stop()
      expect(ended).toMatchObject({ code: 0, stdout: '' })
      expect(ended.stderr).toContain('kafka does not answer, trying on')
      expect(ended.stderr).toContain('kafka is back')
      expect(ended.stderr).not.toMatch(/^ +at /m)
    } finally {
      await ownBroker('down', '--fresh')
    }
  })
})

async function ownBroker(...words: readonly string[]): Promise<void> {
  const script = join(import.meta.dirname, '../../scripts/kafka.mjs')
  await promisify(execFile)(process.execPath, [script, ...words, '--port', String(OWN_PORT)])
}
