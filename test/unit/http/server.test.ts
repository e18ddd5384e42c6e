import { afterEach, expect, test } from 'vitest'
import { listen } from '../../../src/http/server.ts'
import type { HttpServer } from '../../../src/http/server.ts'
import { createConsole } from '../../support/console.ts'

const open: HttpServer[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
})

async function listenOn(port: number): Promise<HttpServer> {
  const server = await listen(createConsole().app, { host: '127.0.0.1', port })
  open.push(server)
  return server
}

test('it answers on the port it names', async () => {
  const { url } = await listenOn(0)
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
})

test('a port in use is named, with the mend', async () => {
  const { port } = await listenOn(0)
  await expect(listenOn(port)).rejects.toMatchObject({
    code: 'PORT_IN_USE',
    message: `port ${port} on 127.0.0.1 is in use; stop what listens there or choose another with --port or http.port`,
  })
})

test('closing ends open streams', async () => {
  const server = await listenOn(0)
  const stream = await fetch(`${server.url}/v1/stream`)
  const reader = stream.body!.getReader()
  await reader.read()
  const ended = expect(reader.read()).rejects.toThrow()
  await server.close()
  await ended
})

test('addresses of the network are never served', async () => {
  const { app } = createConsole()
  await expect(listen(app, { host: '0.0.0.0', port: 0 })).rejects.toThrow('only loopback')
})
