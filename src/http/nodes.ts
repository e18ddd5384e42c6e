/** GET /v1/nodes and /v1/nodes/:id. */
import { Hono } from 'hono'
import type { ConsoleViews, NodeView } from '../store/views.ts'
import { cursorFor, cursorOf, limitOf } from './paging.ts'
import type { Page } from './paging.ts'
import { badRequest, notFound } from './problem.ts'

const LIVENESS: readonly string[] = ['live', 'silent', 'unknown']

export function nodeRoutes(views: ConsoleViews): Hono {
  const routes = new Hono()
  routes.get('/', (c) => {
    const { pool, liveness, limit, cursor } = c.req.query()
    if (liveness !== undefined && !LIVENESS.includes(liveness)) {
      throw badRequest(`liveness: "${liveness}" is none of ${LIVENESS.join(', ')}`)
    }
    const wanted = (node: NodeView): boolean =>
      (pool === undefined || node.pool === pool) &&
      (liveness === undefined || node.liveness === liveness)
    return c.json(pageOfNodes(views, wanted, limitOf(limit), cursorOf(cursor)))
  })
  routes.get('/:id', (c) => {
    const id = c.req.param('id')
    const node = views.node(id)
    if (node === undefined) throw notFound(`no node "${id}" is known`)
    const commands = take(views.commands(), 20, (command) => command.node === id)
    const decisions = take(
      views.decisions.before(views.decisions.next),
      50,
      ({ item }) => item.node === id,
    ).map(({ item }) => item)
    return c.json({ ...node, prediction: views.lastPrediction(id) ?? null, commands, decisions })
  })
  return routes
}

function pageOfNodes(
  views: ConsoleViews,
  wanted: (node: NodeView) => boolean,
  limit: number,
  after: string | undefined,
): Page<NodeView> {
  const ids = views.nodeIds()
  const items: NodeView[] = []
  for (let i = after === undefined ? 0 : firstAfter(ids, after); i < ids.length; i++) {
    const node = views.node(ids[i])
    if (node === undefined || !wanted(node)) continue
    if (items.length === limit) return { items, nextCursor: cursorFor(items.at(-1)!.node) }
    items.push(node)
  }
  return { items, nextCursor: null }
}

/** Index of the first id greater than `id`, which itself may be gone by now. */
function firstAfter(ids: readonly string[], id: string): number {
  let low = 0
  let high = ids.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (ids[middle] <= id) low = middle + 1
    else high = middle
  }
  return low
}

function take<Item>(
  items: Iterable<Item>,
  countMax: number,
  wanted: (item: Item) => boolean,
): Item[] {
  const taken: Item[] = []
  for (const item of items) {
    if (!wanted(item)) continue
    taken.push(item)
    if (taken.length === countMax) break
  }
  return taken
}
