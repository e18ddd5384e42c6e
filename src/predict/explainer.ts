/**
 * Why a probability is high: the features that raise it most, each with where it usually lies and where it
 * lies among its peers. Asked only for nodes at or near the acting point.
 */
import type { Contribution, ExpectedRange } from '../core/assessment.ts'
import type { ModelReference } from '../core/model.ts'
import { expectedRange } from './expected-range.ts'
import { occlude } from './occlusion.ts'
import type { Predictor } from './session.ts'

export const CONTRIBUTIONS_MAX = 5

const VALUE = '.value'
const PEERS = '.peers'

export class Explainer {
  readonly #predictor: Predictor
  /** By feature. */
  readonly #expected: readonly (ExpectedRange | null)[]
  /** By feature: the column with the place of its value among peers; -1 without. */
  readonly #peers: readonly number[]

  constructor(predictor: Predictor, reference: ModelReference | null) {
    const { features } = predictor.card
    this.#predictor = predictor
    this.#expected = features.map((name) => {
      const distribution = reference?.features[name]
      return distribution === undefined ? null : expectedRange(distribution)
    })
    // Peers are counted by the value of a metric, and say nothing of its means or trends.
    this.#peers = features.map((name) => {
      const isPlaced = name.endsWith(VALUE) || name.endsWith(PEERS)
      return isPlaced ? features.indexOf(`${name.slice(0, name.lastIndexOf('.'))}${PEERS}`) : -1
    })
  }

  /** @param row float32 [features]; copied, never kept. @returns largest first, raising ones only. */
  async contributions(row: Float32Array): Promise<readonly Contribution[]> {
    const { card, shap } = this.#predictor
    const all = shap === undefined ? await occlude(this.#predictor, row) : shap.explain(row, 1)
    return card.features
      .map((feature, i) => ({
        feature,
        value: valueOf(row[i]),
        expected: this.#expected[i],
        peerPercentile: this.#peers[i] < 0 ? null : valueOf(row[this.#peers[i]]),
        contribution: all[i],
      }))
      .filter(({ contribution }) => contribution > 0)
      .sort((a, b) => b.contribution - a.contribution)
      .slice(0, CONTRIBUTIONS_MAX)
  }
}

function valueOf(value: number): number | null {
  return Number.isNaN(value) ? null : value
}
