// Goal: a service that hangs or fails keeps no other from being looked at, and nothing ever answers in its place: after any
// number of failures the next look is made, and what was not looked at is not told.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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

async function listening(server: Server, at: { path: string } | { port: 0 } = { port: 0 }) {
  const open = new Set<Socket>()
  server.on('connection', (socket) => void open.add(socket))
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', ...at }, resolve))
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

describe('a container', () => {
  async function engine(answers: Readonly<Record<string, unknown>>): Promise<string> {
    const directory = mkdtempSync(join(tmpdir(), 'engine-'))
    const socket = join(directory, 's')
    const server = createHttp((request, response) => {
      const answer = answers[decodeURIComponent(request.url!.split('/')[2])]
      if (answer === undefined) response.writeHead(404).end('{"message":"no such"}')
      else response.end(typeof answer === 'string' ? answer : JSON.stringify(answer))
    })
    await listening(server, { path: socket })
    closers.push(() => Promise.resolve(rmSync(directory, { recursive: true, force: true })))
    return socket
  }
  const container = (socket: string, name: string): Check => {
    const how = { probe: 'container', socket, container: name } as const
    return { about: 'b' as NodeId, service: name, priority: 'critical', how }
  }

  test('is seen as its engine says, and what the engine does not say is not told', async () => {
    const state = (more: object) => ({ Id: 'x', State: { Running: false, ExitCode: 0, ...more } })
    const socket = await engine({
      'up/1': state({ Running: true }),
      ended: state({ ExitCode: 137 }),
      looping: state({ Running: true, Restarting: true, ExitCode: 1 }),
      odd: 'no JSON',
      huge: 'x'.repeat(2_000_000),
    })
    const names = ['up/1', 'ended', 'looping', 'nobody', 'odd', 'huge']
    const prober = create(names.map((name) => container(socket, name)))
    const seen = await look(prober)
    expect(seen.map(({ service, ok, status }) => [service, ok, status])).toEqual([
      ['up/1', true, null],
      ['ended', false, 137],
      ['looping', false, 1],
      ['nobody', false, null],
    ])
    expect(seen.every(({ probe }) => probe === 'container')).toBe(true)
    expect(prober.figures().map(({ calls }) => Object.keys(calls)[0])).toEqual([
      'succeeded',
      ...Array.from({ length: 5 }, () => 'failed'),
    ])
  })

  test('says nothing of itself while its engine is gone or hangs', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'engine-'))
    const socket = join(directory, 's')
    await listening(
      createServer(() => undefined),
      { path: socket },
    )
    const prober = create([container(socket, 'web'), container(join(directory, 'none'), 'db')])
    expect(await look(prober)).toEqual([])
    expect(prober.figures().map(({ calls }) => calls)).toEqual([{ 'timed-out': 1 }, { failed: 1 }])
    closers.push(() => Promise.resolve(rmSync(directory, { recursive: true, force: true })))
  })

  test('that has ended is told once for each end', async () => {
    const state = { Running: false, ExitCode: 1, FinishedAt: 'first' }
    const socket = await engine({ web: { State: state } })
    const prober = create([container(socket, 'web')])
    const rounds: number[] = []
    const next = async (change: Partial<typeof state>) => {
      Object.assign(state, change)
      rounds.push((await look(prober)).length)
    }
    for (const end of ['first', 'first', 'second', 'second']) await next({ FinishedAt: end })
    for (const isUp of [true, true, false, false]) await next({ Running: isUp })
    expect(rounds).toEqual([1, 0, 1, 0, 1, 1, 1, 0])
  })
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
