/** GET /v1/paths?from=&to=: the fastest way between two nodes of a pool that is decided here, and two that do not fail together. */
import { Hono } from 'hono'
import { DEFAULT_POOL } from '../core/ids.ts'
import type { RoutePaths } from '../core/route-paths.ts'
import { badRequest, notFound } from './problem.ts'

/** Null where no such nodes of the pool are known here. */
export type PathFinder = (pool: string, from: string, to: string) => RoutePaths | null

export function pathRoutes(find: PathFinder): Hono {
  const routes = new Hono()
  routes.get('/', (c) => {
    const { pool = DEFAULT_POOL, from = '', to = '' } = c.req.query()
    if (from === '') throw badRequest('from: name the node that the way begins at')
    if (to === '' || to === from) throw badRequest('to: name another node that the way ends at')
    const found = find(pool, from, to)
    if (found === null) {
      const whom = `nodes "${from}" and "${to}" of pool "${pool}"`
      throw notFound(`${whom} are not both known to this process: another may decide for them`)
    }
    return c.json(found)
  })
  return routes
}
