/** GET /v1/assignments: which node owns which shard, by pool and shard. */
import { Hono } from 'hono'
import type { Assignment } from '../core/shard.ts'
import { shardKey } from '../core/shard.ts'
import type { ConsoleViews } from '../store/views.ts'
import { cursorFor, cursorOf, limitOf } from './paging.ts'
import type { Page } from './paging.ts'

export function assignmentRoutes({ assignments }: ConsoleViews): Hono {
  const routes = new Hono()
  routes.get('/', (c) => {
    const { pool, node, limit, cursor } = c.req.query()
    const countMax = limitOf(limit)
    const items: Assignment[] = []
    let nextCursor: Page<Assignment>['nextCursor'] = null
    for (const assignment of assignments.after(cursorOf(cursor), pool)) {
      if (node !== undefined && !isOn(assignment, node)) continue
      if (items.length === countMax) {
        const last = items[countMax - 1]
        nextCursor = cursorFor(shardKey(last.pool, last.shard))
        break
      }
      items.push(assignment)
    }
    return c.json({ items, nextCursor })
  })
  return routes
}

/** As its owner or as a replica. */
function isOn({ owner, replicas }: Assignment, node: string): boolean {
  return owner === node || replicas.some((each) => each === node)
}
