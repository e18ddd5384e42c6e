// Goal: a service that hangs or fails keeps no other from being looked at, and nothing ever answers in its place: after any
// number of failures the next look is made, and what was not looked at is not told.
import { createServer as createHttp } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { type Check, CHECKS_MAX, Prober, type ProberOptions } from '../../../src/agent/prober.ts'
import type { ServiceCheck } from '../../../src/core/evidence.ts'
import { DEFAULT_GUARD, type GuardFigures } from '../../../src/core/guard.ts'
import type { NodeId, PoolId } from '../../../src/core/ids.ts'
import { TOPOLOGY } from '../../support/console.ts'
import { textOf } from '../../support/output.ts'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function listening(server: Server): Promise<number> {
  const open = new Set<Socket>()
  server.on('connection', (socket) => void open.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    for (const socket of open) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return (server.address() as AddressInfo).port
}

const answering = (status = 200) =>
  listening(createHttp((_, response) => void response.writeHead(status).end()))
/** Takes the question and never answers. */
const hanging = () => listening(createServer(() => undefined))
/** Nobody listens there any more. */
async function gone(): Promise<number> {
  const port = await answering()
  await closers.pop()!()
  return port
}

function http(service: string, port: number, priority: Check['priority'] = 'normal'): Check {
  const how = { probe: 'http', url: `http://127.0.0.1:${port}/` } as const
  return { about: 'b' as NodeId, service, priority, how }
}

const SOON = { critical: 60, normal: 150, low: 5_000 }

function create(checks: readonly Check[], more: Partial<ProberOptions> = {}): Prober {
  return new Prober({
    topology: TOPOLOGY,
    source: '/agents/a',
    pool: 'web' as PoolId,
    node: 'a' as NodeId,
    checks,
    rules: { ...DEFAULT_GUARD, timeoutMs: SOON },
    nowMs: () => 7,
    clockMs: () => performance.now(),
    ...more,
  })
}

async function look(prober: Prober): Promise<readonly ServiceCheck[]> {
  return (await prober.round()).map(({ value }) => JSON.parse(textOf(value)) as ServiceCheck)
}

describe('what is seen is told', () => {
  test('of each service, over each kind of probe', async () => {
    const [up, ill] = [await answering(), await answering(503)]
    const tcp: Check = {
      about: 'c' as NodeId,
      service: 'db',
      priority: 'critical',
      how: { probe: 'tcp', host: '127.0.0.1', port: up },
    }
    const seen = await look(create([http('web', up), http('api', ill), tcp]))
    expect(seen).toMatchObject([
      { kind: 'service-check', node: 'a', about: 'b', service: 'web', probe: 'http', status: 200 },
      { service: 'api', ok: true, status: 503 },
      { about: 'c', service: 'db', probe: 'tcp', ok: true, status: null, atMs: 7 },
    ])
  })

  test('a service that hangs is given up by its priority, and the others are looked at meanwhile', async () => {
    const stuck = await hanging()
    const prober = create([
      http('urgent', stuck, 'critical'),
      http('slow', stuck),
      http('web', await answering()),
    ])
    expect(await look(prober)).toMatchObject([
      { service: 'urgent', ok: false, latencyMs: null },
      { service: 'slow', ok: false },
      { service: 'web', ok: true },
    ])
    const outcomes = prober.figures().map(({ target, calls }) => [target, calls])
    expect(outcomes).toEqual([
      ['b/urgent', { 'timed-out': 1 }],
      ['b/slow', { 'timed-out': 1 }],
      ['b/web', { succeeded: 1 }],
    ])
  })
})

test('however often a service has failed, the next look is made, once, and what is back is seen at once', async () => {
  const changes: GuardFigures[] = []
  const port = await gone()
  const prober = create([http('web', port)], { changed: (figures) => void changes.push(figures) })
  const rounds = 4 * DEFAULT_GUARD.failuresMax
  for (let i = 0; i < rounds; i++) {
    expect(await look(prober)).toMatchObject([{ ok: false, status: null }])
  }
  expect(prober.figures()).toMatchObject([{ state: 'closed', calls: { failed: rounds } }])
  expect(changes).toHaveLength(rounds)
  const server = createHttp((_, response) => void response.end())
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  closers.push(() => new Promise((resolve) => server.close(resolve)))
  expect(await look(prober)).toMatchObject([{ ok: true, status: 200 }])
  expect(prober.figures()).toMatchObject([{ failingSinceMs: null }])
})

test('where as many looks as may be are at work nobody looks, and nothing is told of it', async () => {
  const rules = { ...DEFAULT_GUARD, timeoutMs: SOON, concurrencyMax: 1, queueMax: 0 }
  const prober = create([http('slow', await hanging())], { rules })
  const first = look(prober)
  expect(await look(prober)).toEqual([])
  expect(await first).toMatchObject([{ service: 'slow', ok: false }])
  expect(prober.figures()).toMatchObject([{ calls: { refused: 1, 'timed-out': 1 } }])
})

test.each([
  {
    checks: Array.from({ length: CHECKS_MAX + 1 }, (_, i) => http(`s${i}`, 1)),
    message: 'checks: there are 257; leave some to other agents, an agent makes at most 256',
  },
  {
    checks: [http('web', 1), http('web', 2)],
    message: 'checks: b/web is there twice; name it once',
  },
])('$message', ({ checks, message }) => {
  expect(() => create(checks)).toThrow(message)
})
