// Goal: what a probe says is what is there, over real sockets on loopback, and ingest takes it.
import { createServer as createHttp } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { evidenceOutput, probeHttp, probeTcp } from '../../../src/agent/probe.ts'
import type { NodeId, PoolId } from '../../../src/core/ids.ts'
import { decodeEvidence } from '../../../src/ingest/evidence.ts'
import { TOPOLOGY } from '../../support/console.ts'
import { bytesOf } from '../../support/output.ts'

const clock = () => performance.now()

/** Runs with a server on a free port, and closes it. */
async function listening<Value>(
  server: ReturnType<typeof createServer>,
  use: (port: number) => Promise<Value>,
): Promise<Value> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    return await use((server.address() as AddressInfo).port)
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}

test('a port that takes connections is open, and one that nobody listens on is not', async () => {
  const server = createServer((socket) => socket.end())
  const port = await listening(server, async (open) => {
    const seen = await probeTcp(
      { host: '127.0.0.1', port: open },
      AbortSignal.timeout(5_000),
      clock,
    )
    expect(seen).toMatchObject({ ok: true, status: null })
    expect(seen.latencyMs).toBeGreaterThanOrEqual(0)
    return open
  })
  const gone = await probeTcp({ host: '127.0.0.1', port }, AbortSignal.timeout(5_000), clock)
  expect(gone).toEqual({ ok: false, status: null, latencyMs: null })
})

test.each([200, 302, 404, 503])('an answer %i is an answer, with its status', async (status) => {
  const server = createHttp((_, response) => {
    response.writeHead(status, { location: '/elsewhere', connection: 'close' }).end('body')
  })
  const seen = await listening(server, (port) =>
    probeHttp(`http://127.0.0.1:${port}/`, AbortSignal.timeout(5_000), clock),
  )
  expect(seen).toMatchObject({ ok: true, status })
})

test('a server that takes the question and never answers is given up after the timeout', async () => {
  const open = new Set<{ destroy(): void }>()
  const server = createServer((socket) => void open.add(socket))
  const seen = await listening(server, async (port) => {
    const answer = await probeHttp(`http://127.0.0.1:${port}/`, AbortSignal.timeout(100), clock)
    for (const socket of open) socket.destroy()
    return answer
  })
  expect(seen).toEqual({ ok: false, status: null, latencyMs: null })
})

test('what a probe reports is evidence that ingest takes', () => {
  const record = {
    kind: 'service-check',
    node: 'a' as NodeId,
    pool: 'web' as PoolId,
    atMs: 5,
    about: 'b' as NodeId,
    service: 'db',
    probe: 'tcp',
    ok: true,
    status: null,
    latencyMs: 1.5,
  } as const
  const { topic, value } = evidenceOutput({ topology: TOPOLOGY, source: '/agents/a' }, record)
  expect(topic).toBe('test.evidence')
  const decoded = decodeEvidence(bytesOf(value)!, { nowMs: 5, appendedAtMs: 5 })
  expect(decoded).toEqual({ ok: true, value: record })
})
