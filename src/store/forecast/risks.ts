/** How likely nodes are to fail, now and usually, and how many failures follow from it. */
import { ServiceError } from '../../core/errors.ts'
import type { NodeId, PoolId } from '../../core/ids.ts'
import { countFailures, type FailureCount, probabilityAhead } from './failure-count.ts'

const NODES_MAX = 1_000_000
/** In larger fleets `predictions` tells of what is new only, and its mean would be that of the ill. */
const DETAILED_NODES_MAX = 1_000

/** As in topic `nodes`. */
export interface NodeState {
  readonly node: NodeId
  readonly failed: boolean
  readonly probability: number | null
}

/** As in topic `predictions`. */
export interface Prediction {
  readonly pool: PoolId
  readonly probability: number
  readonly horizonMs: number
  readonly trigger: string
}

export interface ExpectedFailures extends FailureCount {
  /** Nodes with a probability, and how far those look ahead, ms. */
  readonly nodes: number
  readonly horizonMs: number
}

export class Risks {
  readonly #newest = new Map<NodeId, number>()
  readonly #pools = new Map<PoolId, { sum: number; count: number; horizonMs: number }>()

  takeNode({ node, probability }: NodeState): void {
    if (probability === null) {
      this.#newest.delete(node)
      return
    }
    if (!this.#newest.has(node) && this.#newest.size >= NODES_MAX) {
      const mend = 'give each prefix a forecast of its own'
      throw new ServiceError(
        'INPUT_INVALID',
        `forecast: there are more than ${NODES_MAX} nodes with a probability; ${mend}`,
      )
    }
    this.#newest.set(node, probability)
  }

  /** The mean is over grid times, because between them those are scored that change. */
  takePrediction({ pool, probability, horizonMs, trigger }: Prediction): void {
    const known = this.#pools.get(pool) ?? { sum: 0, count: 0, horizonMs: 0 }
    known.horizonMs = Math.max(known.horizonMs, horizonMs)
    if (trigger === 'grid') {
      known.sum += probability
      known.count += 1
    }
    this.#pools.set(pool, known)
  }

  /** Null where nothing was predicted for the pool. */
  failuresOf(pool: PoolId, nodes: Iterable<NodeId>, aheadMs: number): ExpectedFailures | null {
    const known = this.#pools.get(pool)
    const now = [...nodes].flatMap((node) => this.#newest.get(node) ?? [])
    if (known === undefined || now.length === 0) return null
    const { sum, count, horizonMs } = known
    const isDetailed = count > 0 && this.#newest.size <= DETAILED_NODES_MAX
    const mean = now.reduce((total, each) => total + each, 0) / now.length
    const usual = isDetailed ? sum / count : mean
    const probabilities = now.map((each) => probabilityAhead(each, usual, horizonMs, aheadMs))
    return { ...countFailures(Float64Array.from(probabilities)), nodes: now.length, horizonMs }
  }
}
