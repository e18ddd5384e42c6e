/**
 * The rule that a service is weighed against: a node alarms as soon as its probability is .8 or more, and
 * until it is below .64, as under the default policy. It asks no rail and acts at once.
 */
import type { NodeId, PoolId } from '../../core/ids.ts'
import type { Alarm } from './alarms.ts'
import { ALARMS_MAX, checkRoom } from './limits.ts'

export const RULE_PROBABILITY = 0.8
const CLEAR_PROBABILITY = 0.8 * RULE_PROBABILITY

export class ThresholdRule {
  readonly #ended: Alarm[] = []
  readonly #standing = new Map<NodeId, Alarm>()

  /** Predictions of one node come in the order of their times. */
  take(node: NodeId, pool: PoolId, atMs: number, probability: number): void {
    const standing = this.#standing.get(node)
    if (standing === undefined) {
      if (probability < RULE_PROBABILITY) return
      checkRoom(this.#ended.length + this.#standing.size, ALARMS_MAX, 'alarms of the rule')
      this.#standing.set(node, { node, pool, beganAtMs: atMs, endedAtMs: null })
      return
    }
    if (probability >= CLEAR_PROBABILITY) return
    this.#standing.delete(node)
    this.#ended.push({ ...standing, endedAtMs: atMs })
  }

  *alarms(): Generator<Alarm> {
    yield* this.#ended
    yield* this.#standing.values()
  }
}
