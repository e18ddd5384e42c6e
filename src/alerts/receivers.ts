/**
 * How a page reaches people: pushed to an Alertmanager, which routes it on, or to a webhook, signed. Each
 * try has a timeout; tries are few, with a pause that grows and jitters. What failed for good is still
 * due, so the next round begins anew.
 */
import { createHmac } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { ServiceError } from '../core/errors.ts'
import type { AlertView } from './alert-book.ts'
import type { Page } from './page-plan.ts'

/** A page lists so many alerts one by one; `alertCount` has them all. */
export const ALERTS_LISTED_MAX = 50
const ATTEMPTS_MAX = 4
const PAUSE_MS = 250

export interface Receiver {
  readonly name: 'alertmanager' | 'webhook'
  readonly url: string
  readonly body: (page: Page) => string
  readonly headers: (body: string) => Readonly<Record<string, string>>
}

export interface DeliveryPorts {
  readonly timeoutMs: number
  /** 0 to 1. */
  readonly random: () => number
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

/** Rejects with DELIVERY_FAILED when no try was answered with 2xx, or one will never be. */
export async function deliver(receiver: Receiver, page: Page, ports: DeliveryPorts): Promise<void> {
  const body = receiver.body(page)
  for (let attempt = 1; ; attempt++) {
    const problem = await post(receiver, body, page.pageId, ports.timeoutMs)
    ports.tried(receiver.name, problem === null ? 'delivered' : 'failed')
    if (problem === null) return
    if (attempt === ATTEMPTS_MAX) {
      throw new ServiceError(
        'DELIVERY_FAILED',
        `page ${page.pageId} did not reach the ${receiver.name} at ${receiver.url}: ${problem}; it is tried again`,
      )
    }
    await setTimeout(PAUSE_MS * 2 ** (attempt - 1) * (0.5 + ports.random()))
  }
}

async function post(
  { url, headers }: Receiver,
  body: string,
  pageId: string,
  timeoutMs: number,
): Promise<string | null> {
  try {
    const answer = await fetch(url, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        'idempotency-key': encodeURIComponent(pageId),
        ...headers(body),
      },
      signal: AbortSignal.timeout(timeoutMs),
      redirect: 'error',
    })
    await answer.body?.cancel()
    return answer.ok ? null : `it answered ${answer.status}`
  } catch (error) {
    const { message, cause } = error as Error
    return cause instanceof Error ? cause.message : message
  }
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
