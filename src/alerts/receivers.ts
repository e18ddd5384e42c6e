/**
 * How a page reaches people: pushed to an Alertmanager, which routes it on, or to a webhook, signed. Tries,
 * their pauses and their end are the guard's. What failed for good is still due, so the next round begins
 * anew.
 */
import { createHmac } from 'node:crypto'
import { CallFailure } from '../core/guard.ts'
import type { CallerOf } from '../resilience/caller.ts'
import type { AlertView } from './alert-book.ts'
import type { Page } from './page-plan.ts'

/** A page lists so many alerts one by one; `alertCount` has them all. */
export const ALERTS_LISTED_MAX = 50
const TOO_MANY = 429
const REQUEST_TIMEOUT = 408

export interface Receiver {
  readonly name: 'alertmanager' | 'webhook'
  readonly url: string
  readonly body: (page: Page) => string
  readonly headers: (body: string) => Readonly<Record<string, string>>
}

export interface DeliveryPorts {
  /** Guards of the receivers, by their names. */
  readonly callerOf: CallerOf
  /** Of every try. */
  readonly tried: (receiver: Receiver['name'], outcome: 'delivered' | 'failed') => void
}

/** `POST /api/v2/alerts` of Alertmanager's API. `holdMs`: how long one stands without another word. */
export function alertmanager(url: string, holdMs: number): Receiver {
  return {
    name: 'alertmanager',
    url: `${url.replace(/\/$/, '')}/api/v2/alerts`,
    body: ({ alerts, groups, atMs }) => {
      const escalated = new Set(groups.filter((each) => each.escalated).map(({ group }) => group))
      return JSON.stringify(
        alerts.map((alert) => postable(alert, escalated.has(alert.group), atMs + holdMs)),
      )
    },
    headers: () => ({}),
  }
}

/** `x-foreshock-signature: sha256=HEX`, the HMAC of the body. */
export function webhook(url: string, secret: string): Receiver {
  return {
    name: 'webhook',
    url,
    body: ({ alerts, ...page }) =>
      JSON.stringify({
        ...page,
        groups: page.groups.map(({ group, state, severity, escalated }) => {
          return { group, state, severity, escalated }
        }),
        alertCount: alerts.length,
        alerts: alerts.slice(0, ALERTS_LISTED_MAX),
      }),
    headers: (body) => ({
      'x-foreshock-signature': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    }),
  }
}

/** Rejects with CallFailure when no try was answered with 2xx, with CallRefused when none was made. */
export async function deliver(
  receiver: Receiver,
  page: Page,
  { callerOf, tried }: DeliveryPorts,
): Promise<void> {
  const body = receiver.body(page)
  const isCritical = page.groups.some(({ severity }) => severity === 'critical')
  await callerOf(receiver.name).call(isCritical ? 'critical' : 'normal', async (signal) => {
    try {
      await post(receiver, body, page.pageId, signal)
      tried(receiver.name, 'delivered')
    } catch (error) {
      tried(receiver.name, 'failed')
      throw error
    }
  })
}

async function post(
  { url, headers }: Receiver,
  body: string,
  pageId: string,
  signal: AbortSignal,
): Promise<void> {
  const answer = await fetch(url, {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/json',
      'idempotency-key': encodeURIComponent(pageId),
      ...headers(body),
    },
    signal,
    redirect: 'error',
  })
  await answer.body?.cancel()
  const { ok, status } = answer
  if (ok) return
  const passing = status >= 500 || status === TOO_MANY || status === REQUEST_TIMEOUT
  const seconds = Number(answer.headers.get('retry-after') ?? Number.NaN)
  throw new CallFailure(
    `it answered ${status}`,
    passing,
    Number.isFinite(seconds) ? seconds * 1_000 : null,
  )
}

function postable(alert: AlertView, escalated: boolean, holdsUntilMs: number): object {
  const { kind, pool, node, cause, severity, fingerprint, group, message, incidentId } = alert
  const labels = {
    alertname: `foreshock-${kind}`,
    pool,
    severity,
    group,
    fingerprint,
    ...(node === null ? {} : { node }),
    ...(cause === undefined ? {} : { cause }),
    ...(escalated ? { escalated: 'true' } : {}),
  }
  const annotations = { summary: message, ...(incidentId === null ? {} : { incident: incidentId }) }
  const startsAt = new Date(alert.firingSinceMs).toISOString()
  const endsAt = new Date(alert.resolvedAtMs ?? holdsUntilMs).toISOString()
  return { labels, annotations, startsAt, endsAt }
}
