/**
 * Who may talk to a service without authentication: programs and pages on this machine only.
 *
 * Listening on loopback is not enough: a page of any site can point a name of its own at 127.0.0.1
 * (DNS rebinding), or post to it across origins. The Host header gives the first away, Origin and
 * Sec-Fetch-Site the second.
 */
import type { MiddlewareHandler } from 'hono'
import { ProblemError } from './problem.ts'

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

export function isLoopback(host: string): boolean {
  return LOOPBACK.has(host) || host === '::1'
}

export function loopbackOnly(): MiddlewareHandler {
  return async (c, next) => {
    const host = c.req.header('host') ?? new URL(c.req.url).host
    if (!LOOPBACK.has(nameOf(host))) {
      throw refused(`the Host header says "${host}"; call the service as localhost or 127.0.0.1`)
    }
    const origin = c.req.header('origin')
    if (origin !== undefined && origin !== `http://${host}`) {
      throw refused(`pages of ${origin} may not call this service`)
    }
    if (c.req.header('sec-fetch-site') === 'cross-site') {
      throw refused('pages of other sites may not call this service')
    }
    await next()
  }
}

/** Host without its port, in lower case: `[::1]:8080` → `[::1]`. */
function nameOf(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, '')
}

function refused(detail: string): ProblemError {
  return new ProblemError({ status: 403, title: 'Forbidden', detail, code: 'NOT_LOCAL' })
}
