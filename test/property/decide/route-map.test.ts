// Goal: all ways of a source, worked out together, are as good as those that are worked out for each pair alone.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import type { NodeId } from '../../../src/core/ids.ts'
import type { RoutePath, RoutePaths } from '../../../src/core/route-paths.ts'
import type { Link } from '../../../src/decide/paths/latencies.ts'
import { RouteMap } from '../../../src/decide/paths/route-map.ts'
import { routesBetween } from '../../../src/decide/paths/routes.ts'

const networks = fc
  .record({
    nodeCount: fc.integer({ min: 2, max: 14 }),
    links: fc.array(
      fc.record({ a: fc.nat(13), b: fc.nat(13), latencyMs: fc.integer({ min: 0, max: 20 }) }),
      { maxLength: 45 },
    ),
  })
  .map(({ nodeCount, links }) => {
    const found = new Map<string, Link>()
    for (const { a, b, latencyMs } of links) {
      const [low, high] = [a % nodeCount, b % nodeCount].sort((x, y) => x - y)
      if (low === high) continue
      const [from, to] = [name(low), name(high)]
      found.set(`${from}${to}`, { from, to, latencyMs })
    }
    return [...found.values()]
  })

const name = (index: number) => `n${String(index).padStart(2, '0')}` as NodeId
const sumOf = (pair: RoutePaths['pair']) =>
  pair === null ? null : pair.paths[0].latencyMs + pair.paths[1].latencyMs
const near = (value: number | null): unknown => (value === null ? null : expect.closeTo(value, 6))
const linksOf = ({ nodes }: RoutePath) => nodes.slice(1).map((node, i) => [nodes[i], node].sort())

test.prop([networks], { numRuns: 1_500 })(
  'the shortest takes as long, the pair is as apart and takes as long together, and shares nothing',
  (links) => {
    const map = new RouteMap(links)
    for (const from of map.names) {
      const routes = map.from(from)
      for (const to of map.names) {
        if (to === from) continue
        const alone = routesBetween(links, from, to, () => true)
        const { shortest = null, pair = null } = routes.get(to) ?? {}
        expect(shortest?.latencyMs ?? null).toEqual(near(alone.shortest?.latencyMs ?? null))
        expect([pair?.disjoint, sumOf(pair)]).toEqual([
          alone.pair?.disjoint,
          near(sumOf(alone.pair)),
        ])
        for (const path of [shortest, ...(pair?.paths ?? [])]) {
          if (path === null) continue
          expect([path.nodes[0], path.nodes.at(-1)]).toEqual([from, to])
          expect(new Set(path.nodes).size).toBe(path.nodes.length)
          expect(map.latencyMs(path)).toEqual(near(path.latencyMs))
        }
        if (pair === null) continue
        const [a, b] = pair.paths
        const used = new Set(linksOf(a).map((link) => link.join()))
        expect(linksOf(b).filter((link) => used.has(link.join()))).toEqual([])
        if (pair.disjoint === 'links') continue
        expect(a.nodes.slice(1, -1).filter((node) => b.nodes.slice(1, -1).includes(node))).toEqual(
          [],
        )
      }
    }
  },
)
