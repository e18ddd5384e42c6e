// Goal: pages reach a real receiver, signed, once, also when it fails at first and over a restart.
// Method: an embedded bus, an HTTP server on loopback, and the pager; each wait is for a condition.
import { createHmac } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { startPager } from '../../../src/alerts/pager.ts'
import { alertmanager, type Receiver, webhook } from '../../../src/alerts/receivers.ts'
import { openEmbeddedBus } from '../../../src/bus/embedded/embedded-bus.ts'
import type { Bus } from '../../../src/core/bus.ts'
import { DEFAULT_GUARD } from '../../../src/core/guard.ts'
import { topicSpecs, type Topology } from '../../../src/core/topics.ts'
import { Guards } from '../../../src/resilience/guard.ts'
import { alertOf, endOf } from '../../support/alerts.ts'
import { until } from '../../support/until.ts'

const TOPOLOGY: Topology = {
  prefix: 't.',
  nodePartitions: 2,
  poolPartitions: 1,
  clock: 'arrival',
  retentionMs: 1e9,
}
const SECRET = 'a secret of the test'

interface Got {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Answers 500 to the first so many. */
async function receiverOf(failures = 0) {
  const got: Got[] = []
  const refused: Got[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += String(chunk)))
    request.on('end', () => {
      const fails = refused.length < failures
      ;(fails ? refused : got).push({ path: request.url!, headers: request.headers, body })
      response.writeHead(fails ? 500 : 200).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { got, refused, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }
}

async function busOf(): Promise<Bus> {
  const directory = await mkdtemp(join(tmpdir(), 'foreshock-pager-'))
  const bus = await openEmbeddedBus({ directory })
  onTestFinished(async () => {
    await bus.close()
    await rm(directory, { recursive: true, force: true })
  })
  await bus.create(topicSpecs(TOPOLOGY))
  return bus
}

function pagerOf(bus: Bus, receivers: readonly Receiver[], tries: string[] = []) {
  const rules = {
    severityMin: 'warning',
    repeatMs: 1e9,
    escalateMs: 1e9,
    pagesPerMinute: 10,
  } as const
  const guards = new Guards(
    { ...DEFAULT_GUARD, openMs: 500 },
    { random: () => 0, nowMs: () => bus.nowMs() },
  )
  return startPager({
    bus,
    topology: TOPOLOGY,
    rules,
    receivers,
    delivery: {
      callerOf: (receiver) => guards.of(receiver),
      tried: (to, what) => tries.push(`${to} ${what}`),
    },
    intervalMs: 20,
    report: (error) => tries.push(String(error)),
  })
}

const say = (bus: Bus, topic: string, body: object) =>
  bus.produce([{ topic: `t.${topic}`, partition: 1, key: null, value: JSON.stringify(body) }])

test('a webhook gets what begins and ends, signed and once, also over a restart', async () => {
  const [bus, { got, refused, url }, tries] = [await busOf(), await receiverOf(2), [] as string[]]
  let stop = await pagerOf(bus, [webhook(url, SECRET)], tries)
  const atMs = bus.nowMs()
  await say(bus, 'alerts', alertOf(atMs))
  await until('3 tries', 20_000, () => tries.length === 3)
  expect(got).toHaveLength(1)
  expect(refused).toHaveLength(2)
  expect(tries).toEqual(['webhook failed', 'webhook failed', 'webhook delivered'])
  const [{ headers, body }] = got
  const digest = createHmac('sha256', SECRET).update(body).digest('hex')
  expect(headers['x-foreshock-signature']).toBe(`sha256=${digest}`)
  expect(refused[0].headers['idempotency-key']).toBe(headers['idempotency-key'])
  expect(JSON.parse(body)).toMatchObject({
    kind: 'page',
    groups: [{ group: 'web/node:n1', state: 'firing', severity: 'warning' }],
    alerts: [{ node: 'n1', message: 'Node n1 will fail.' }],
    alertCount: 1,
  })
  await until('the page is journaled', 20_000, async () => (await bus.ends('t.journal'))[0] > 0)
  await stop()
  await say(bus, 'journal', endOf('i1', atMs + 1))
  await say(bus, 'alerts', alertOf(atMs + 2, { node: 'n2' as never, incidentId: 'i2' as never }))
  stop = await pagerOf(bus, [webhook(url, SECRET)])
  await until('3 pages', 20_000, () => got.length === 3)
  await stop()
  const groups = got.slice(1).map((each) => (JSON.parse(each.body) as { groups: object[] }).groups)
  expect(groups).toMatchObject([
    [{ group: 'web/node:n1', state: 'resolved' }],
    [{ group: 'web/node:n2', state: 'firing' }],
  ])
})

test('an Alertmanager gets what its API takes, and whoever has a page does not get it again', async () => {
  const [bus, manager, hook] = [await busOf(), await receiverOf(), await receiverOf(4)]
  const receivers = [alertmanager(manager.url, 1_000), webhook(hook.url, SECRET)]
  const stop = await pagerOf(bus, receivers)
  const atMs = bus.nowMs()
  await say(bus, 'alerts', alertOf(atMs, { severity: 'critical', cause: 'rack:r1' }))
  await until('1 pages', 20_000, () => hook.got.length === 1)
  await stop()
  expect(manager.got).toHaveLength(1)
  expect(manager.got[0].path).toBe('/api/v2/alerts')
  const [posted] = JSON.parse(manager.got[0].body) as Record<string, string>[]
  expect(posted).toMatchObject({
    labels: {
      alertname: 'foreshock-prediction',
      severity: 'critical',
      cause: 'rack:r1',
      node: 'n1',
    },
    annotations: { summary: 'Node n1 will fail.', incident: 'i1' },
    startsAt: new Date(atMs).toISOString(),
  })
  expect(Date.parse(posted['endsAt'])).toBeGreaterThan(Date.parse(posted['startsAt']))
})

test('a receiver that refuses everything keeps nothing from the others', async () => {
  const [bus, manager, hook] = [await busOf(), await receiverOf(), await receiverOf(1e9)]
  const tries: string[] = []
  const receivers = [webhook(hook.url, SECRET), alertmanager(manager.url, 1_000)]
  const stop = await pagerOf(bus, receivers, tries)
  const atMs = bus.nowMs()
  await say(bus, 'alerts', alertOf(atMs))
  await until('the first page', 20_000, () => manager.got.length === 1)
  await say(bus, 'alerts', alertOf(atMs + 1, { node: 'n2' as never, incidentId: 'i2' as never }))
  await until('the second page', 20_000, () => manager.got.length === 2)
  // The one that is down was tried until its breaker opened, and is left alone for half a second then.
  await until('its breaker opens', 20_000, () => hook.refused.length >= 5)
  await stop()
  expect(hook.got).toHaveLength(0)
  expect(tries.filter((each) => each === 'alertmanager delivered')).toHaveLength(2)
})

test('rules that the journal brings are those from there on', async () => {
  const [bus, { got, url }] = [await busOf(), await receiverOf()]
  const stop = await pagerOf(bus, [webhook(url, SECRET)])
  const atMs = bus.nowMs()
  const rules = { severityMin: 'critical', repeatMs: 1e9, escalateMs: 1e9, pagesPerMinute: 10 }
  const config = { version: 'v', state: 'in-force', changes: [], alerts: rules }
  await say(bus, 'journal', { kind: 'config', entryId: 'e', atMs, pool: '_fleet', config })
  await say(bus, 'alerts', alertOf(atMs + 1))
  const grave = { severity: 'critical', node: 'n2' as never, incidentId: 'i2' as never } as const
  await say(bus, 'alerts', alertOf(atMs + 2, grave))
  await until('the critical one', 20_000, () => got.length > 0)
  await stop()
  expect(got).toHaveLength(1)
  expect(JSON.parse(got[0].body)).toMatchObject({ groups: [{ severity: 'critical' }] })
})
