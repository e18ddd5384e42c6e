/** Listens on loopback and closes with what is open. */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import type { Hono } from 'hono'
import { assert, ServiceError } from '../core/errors.ts'
import { isLoopback } from './guard.ts'

export interface HttpServer {
  readonly url: string
  readonly port: number
  /** Ends streams too: they would keep it open for ever. */
  close(): Promise<void>
}

export interface ListenOptions {
  /** A loopback address. */
  readonly host: string
  /** 0: any free one. */
  readonly port: number
}

export async function listen(app: Hono, { host, port }: ListenOptions): Promise<HttpServer> {
  assert(isLoopback(host), 'without authentication only loopback is served')
  const server = createAdaptorServer({ fetch: app.fetch, hostname: host }) as Server
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)))
    server.listen(port, host, resolve)
  })
  const bound = (server.address() as AddressInfo).port
  const name = host.includes(':') ? `[${host}]` : host
  return {
    url: `http://${name}:${bound}`,
    port: bound,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code === 'EADDRINUSE') {
    return new ServiceError(
      'PORT_IN_USE',
      `port ${port} on ${host} is in use; stop what listens there or choose another with --port or http.port`,
      { cause: error },
    )
  }
  if (error.code === 'EACCES') {
    return new ServiceError(
      'PORT_IN_USE',
      `port ${port} on ${host} may not be used by this user; choose one from 1024 on with --port or http.port`,
      { cause: error },
    )
  }
  return error
}
