/** GET /v1/waiting: of each pool whose coordinator runs here, the work that has no room, in the order of its turn. */
import { Hono } from 'hono'
import type { WaitingQueueView } from '../core/waiting.ts'
import { limitOf } from './paging.ts'

export function waitingRoutes(queues: () => readonly WaitingQueueView[]): Hono {
  const routes = new Hono()
  routes.get('/', (c) => {
    const { pool: wanted, limit } = c.req.query()
    const countMax = limitOf(limit)
    const items = queues().filter(({ pool }) => wanted === undefined || pool === wanted)
    return c.json({
      items: items.map(({ waiting, ...figures }) => ({
        ...figures,
        waiting: waiting.slice(0, countMax),
      })),
    })
  })
  return routes
}
