/** GET /v1/networks: of each pool whose coordinator runs here, the state of its network and what happened to it. */
import { Hono } from 'hono'
import type { NetworkFigures } from '../core/network.ts'
import { notFound } from './problem.ts'

export function networkRoutes(networks: () => readonly NetworkFigures[]): Hono {
  const routes = new Hono()
  routes.get('/', (c) => c.json({ items: networks() }))
  routes.get('/:pool', (c) => {
    const name = c.req.param('pool')
    const found = networks().find(({ pool }) => pool === name)
    if (found === undefined) {
      throw notFound(`no network of pool "${name}" is watched by this process: another may own it`)
    }
    return c.json(found)
  })
  return routes
}
