/** GET /v1/predictions, /v1/commands, /v1/decisions, /v1/alerts: newest first; /v1/maintenance: next first; /v1/conditions, /v1/ballots: what stands. */
import { Hono } from 'hono'
import type { AlertView } from '../alerts/alert-book.ts'
import type { Ring } from '../store/ring.ts'
import type { CommandView, ConsoleViews } from '../store/views.ts'
import { cursorFor, cursorOf, LIMIT_MAX, limitOf, ratioOf, sequenceOf } from './paging.ts'
import type { Page } from './paging.ts'
import { notFound } from './problem.ts'

export function listRoutes(views: ConsoleViews): Hono {
  const routes = new Hono()
  routes.get('/predictions', (c) => {
    const { node, limit, cursor, min_probability } = c.req.query()
    const least = ratioOf('min_probability', min_probability)
    return c.json(
      newest(views.predictions, limitOf(limit), sequenceOf(cursor), (prediction) => {
        if (node !== undefined && prediction.node !== node) return false
        return least === undefined || (prediction.probability ?? 0) >= least
      }),
    )
  })
  routes.get('/decisions', (c) => {
    const { node, pool, kind, rail, incident, limit, cursor } = c.req.query()
    return c.json(
      newest(
        views.decisions,
        limitOf(limit),
        sequenceOf(cursor),
        (entry) =>
          (node === undefined || entry.node === node) &&
          (pool === undefined || entry.pool === pool) &&
          (kind === undefined || entry.kind === kind) &&
          (rail === undefined || entry.rail === rail) &&
          (incident === undefined || entry.incidentId === incident),
      ),
    )
  })
  routes.get('/alerts', (c) => {
    const { state, kind, pool, node, severity, limit, cursor } = c.req.query()
    const wanted = (alert: AlertView): boolean =>
      (state === undefined || alert.state === state) &&
      (kind === undefined || alert.kind === kind) &&
      (pool === undefined || alert.pool === pool) &&
      (node === undefined || alert.node === node) &&
      (severity === undefined || alert.severity === severity)
    return c.json(pageOfAlerts(views.alertBook.list(), wanted, limitOf(limit), cursorOf(cursor)))
  })
  routes.get('/silences', (c) => c.json({ items: views.alertBook.silences() }))
  routes.get('/maintenance', (c) => {
    const { node, zone, pool, state } = c.req.query()
    const items = views.maintenance
      .list()
      .filter(
        (window) =>
          (node === undefined || window.node === node) &&
          (zone === undefined || window.zone === zone) &&
          (pool === undefined || window.pool === pool) &&
          (state === undefined || window.state === state),
      )
    return c.json({
      items: items.slice(0, LIMIT_MAX),
      leftOut: Math.max(0, items.length - LIMIT_MAX),
    })
  })
  routes.get('/conditions', (c) => {
    const { pool, name } = c.req.query()
    const items = views.conditions
      .standing()
      .filter(
        (condition) =>
          (pool === undefined || condition.pool === pool) &&
          (name === undefined || condition.name === name),
      )
    return c.json({
      items: items.slice(0, LIMIT_MAX),
      leftOut: Math.max(0, items.length - LIMIT_MAX),
    })
  })
  routes.get('/ballots', (c) => {
    const { pool, state } = c.req.query()
    const items = views.ballots
      .list()
      .filter(
        (ballot) =>
          (pool === undefined || ballot.pool === pool) &&
          (state === undefined || ballot.state === state),
      )
    return c.json({
      items: items.slice(0, LIMIT_MAX),
      leftOut: Math.max(0, items.length - LIMIT_MAX),
    })
  })
  routes.get('/commands', (c) => {
    const { node, pool, state, action, limit, cursor } = c.req.query()
    const wanted = (command: CommandView): boolean =>
      (node === undefined || command.node === node) &&
      (pool === undefined || command.pool === pool) &&
      (state === undefined || command.state === state) &&
      (action === undefined || command.action === action)
    return c.json(pageOfCommands(views, wanted, limitOf(limit), cursorOf(cursor)))
  })
  routes.get('/commands/:id', (c) => {
    const id = c.req.param('id')
    const command = views.command(id)
    if (command === undefined) throw notFound(`no command "${id}" is known (any more)`)
    const decisions = []
    for (const { item } of views.decisions.before(views.decisions.next)) {
      if (item.commandId === id) decisions.push(item)
    }
    return c.json({ ...command, decisions })
  })
  return routes
}

function newest<Item>(
  ring: Ring<Item>,
  limit: number,
  before: number | undefined,
  wanted: (item: Item) => boolean,
): Page<Item> {
  const items: Item[] = []
  let last = 0
  for (const { sequence, item } of ring.before(before ?? ring.next)) {
    if (!wanted(item)) continue
    if (items.length === limit) return { items, nextCursor: cursorFor(String(last)) }
    items.push(item)
    last = sequence
  }
  return { items, nextCursor: null }
}

function pageOfCommands(
  views: ConsoleViews,
  wanted: (command: CommandView) => boolean,
  limit: number,
  after: string | undefined,
): Page<CommandView> {
  const items: CommandView[] = []
  // A cursor whose command has been dropped stands before nothing: all that follows is gone too.
  let skipping = after !== undefined
  for (const command of views.commands()) {
    if (skipping) {
      skipping = command.commandId !== after
      continue
    }
    if (!wanted(command)) continue
    if (items.length === limit) return { items, nextCursor: cursorFor(items.at(-1)!.commandId) }
    items.push(command)
  }
  return { items, nextCursor: null }
}

function pageOfAlerts(
  alerts: readonly AlertView[],
  wanted: (alert: AlertView) => boolean,
  limit: number,
  after: string | undefined,
): Page<AlertView> {
  const from = after === undefined ? 0 : alerts.findIndex((each) => each.fingerprint === after) + 1
  // A cursor whose alert has fired again or is forgotten stands before nothing.
  if (from === 0 && after !== undefined) return { items: [], nextCursor: null }
  const found = alerts.slice(from).filter(wanted)
  const items = found.slice(0, limit)
  const more = found.length > limit
  return { items, nextCursor: more ? cursorFor(items.at(-1)!.fingerprint) : null }
}
