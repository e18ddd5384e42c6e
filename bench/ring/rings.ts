/** The ring of the benchmarks, ours and the npm rival's. */
import HashRing from 'hashring'
import { VIRTUAL_NODES } from '../../src/core/ring.ts'
import { Ring } from '../../src/state/ring.ts'

export const NODE_NAMES: readonly string[] = Array.from({ length: 1_000 }, (_, i) => `node-${i}`)

export const ringOf = (kernel: WebAssembly.Module): Ring =>
  new Ring(
    kernel,
    NODE_NAMES.map((node) => ({ node, weight: 1, zone: null })),
  )

/** As many points a node; its cache serves no key of a benchmark, in which none comes twice in a row. */
export function npmRing(): HashRing {
  const nodes = Object.fromEntries(NODE_NAMES.map((node) => [node, { vnodes: VIRTUAL_NODES }]))
  return new HashRing(nodes, 'md5', { 'max cache size': 1, replicas: 1 })
}
