// Goal: ways are the best that there are, and pairs of them share nothing that they must not.
// Method: on small networks all ways without a circle are tried, and all pairs of them.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import type { NodeId } from '../../../src/core/ids.ts'
import type { RoutePath } from '../../../src/core/route-paths.ts'
import type { Link } from '../../../src/decide/paths/latencies.ts'
import { routesBetween } from '../../../src/decide/paths/routes.ts'

const NODES = ['a', 'b', 'c', 'd', 'e', 'f', 'g'] as NodeId[]
const [FROM, TO] = [NODES[0], NODES.at(-1)!]
const LEAST = 0.001

const PAIRS = NODES.flatMap((from, i) => NODES.slice(i + 1).map((to) => ({ from, to })))
const networks = fc.record({
  latencies: fc.array(fc.option(fc.integer({ min: 0, max: 9 }), { freq: 2 }), {
    minLength: PAIRS.length,
    maxLength: PAIRS.length,
  }),
  down: fc.subarray(NODES, { maxLength: 2 }),
})

interface Way {
  readonly nodes: readonly NodeId[]
  readonly links: ReadonlySet<string>
  readonly cost: number
}

function linksOf(latencies: readonly (number | null)[]): Link[] {
  return PAIRS.flatMap((pair, i) => {
    const latencyMs = latencies[i]
    return latencyMs === null ? [] : [{ ...pair, latencyMs }]
  })
}

const keyOf = (a: NodeId, b: NodeId) => (a < b ? `${a}${b}` : `${b}${a}`)

function allWays(links: readonly Link[], isUp: (node: NodeId) => boolean): Way[] {
  const costs = new Map(links.map(({ from, to, latencyMs }) => [keyOf(from, to), latencyMs]))
  const ways: Way[] = []
  const walk = (nodes: readonly NodeId[], cost: number) => {
    const last = nodes.at(-1)!
    if (last === TO) {
      const keys = nodes.slice(1).map((node, i) => keyOf(nodes[i], node))
      ways.push({ nodes, links: new Set(keys), cost })
      return
    }
    for (const next of NODES) {
      const own = costs.get(keyOf(last, next))
      if (own === undefined || nodes.includes(next) || (next !== TO && !isUp(next))) continue
      walk([...nodes, next], cost + Math.max(LEAST, own))
    }
  }
  walk([FROM], 0)
  return ways
}

function cheapestPair(ways: readonly Way[], apart: (a: Way, b: Way) => boolean): number {
  let best = Number.POSITIVE_INFINITY
  for (const [i, a] of ways.entries()) {
    for (const b of ways.slice(i + 1)) if (apart(a, b)) best = Math.min(best, a.cost + b.cost)
  }
  return best
}

const nodesApart = (a: Way, b: Way) => {
  const isDirect = a.nodes.length === 2 && b.nodes.length === 2
  return !isDirect && a.nodes.slice(1, -1).every((node) => !b.nodes.slice(1, -1).includes(node))
}
const linksApart = (a: Way, b: Way) => [...a.links].every((link) => !b.links.has(link))

test.prop([networks], { numRuns: 1_000 })(
  'the shortest way is the shortest of all, and the pair the cheapest that shares no node, or else no link',
  ({ latencies, down }) => {
    const isUp = (node: NodeId) => !down.includes(node)
    const links = linksOf(latencies)
    const ways = allWays(links, isUp)
    const { shortest, pair } = routesBetween(links, FROM, TO, isUp)
    const best = Math.min(...ways.map(({ cost }) => cost))
    expect(shortest?.latencyMs ?? Number.POSITIVE_INFINITY).toBeCloseTo(best, 9)
    const apart = cheapestPair(ways, nodesApart)
    const sharing = cheapestPair(ways, linksApart)
    const found = pair === null ? null : pair.paths[0].latencyMs + pair.paths[1].latencyMs
    if (apart < Number.POSITIVE_INFINITY)
      expect([pair?.disjoint, found]).toEqual(['nodes', near(apart)])
    else if (sharing < Number.POSITIVE_INFINITY) {
      expect([pair?.disjoint, found]).toEqual(['links', near(sharing)])
    } else expect(pair).toBeNull()
    if (pair === null) return
    expect(pair.paths[0].latencyMs).toBeLessThanOrEqual(pair.paths[1].latencyMs)
    const [a, b] = pair.paths.map((path) => asWay(path, ways))
    expect(pair.disjoint === 'nodes' ? nodesApart(a, b) : linksApart(a, b)).toBe(true)
  },
)

const near = (value: number): unknown => expect.closeTo(value, 9)

/** It is one of all ways, so it uses only what is there, and never twice. */
function asWay({ nodes }: RoutePath, ways: readonly Way[]): Way {
  const found = ways.find((way) => way.nodes.join() === nodes.join())
  expect(found, nodes.join()).toBeDefined()
  return found!
}
