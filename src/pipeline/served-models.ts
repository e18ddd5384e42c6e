/**
 * The models whose probabilities are told of one class: the champion, and in canary pools the challenger.
 * Which of them a row gets follows from the pool of its node and the records before it, and from
 * nothing else.
 */
import type { ModelRef } from '../core/assessment.ts'
import type { PoolId } from '../core/ids.ts'
import type { NodeClass } from '../core/node.ts'
import type { Policy } from '../core/policy.ts'
import { Explainer } from '../predict/explainer.ts'
import type { LoadedModel } from '../predict/model-library.ts'
import { explanationOf, type Predictor } from '../predict/session.ts'
import type { NodeTable } from '../state/node-table.ts'
import type { FeatureRows } from '../state/table-views.ts'
import { PredictionBatch } from './prediction-batch.ts'
import { ReportRule } from './report-rule.ts'

/** What scores, and what its explanations are held beside. */
export type ServableModel = Pick<LoadedModel, 'predictor' | 'reference'>

/** A challenger that serves the nodes of some pools. */
export interface Canary {
  readonly model: ServableModel
  readonly pools: ReadonlySet<PoolId>
}

/** One model, with what was last told of its nodes. */
export interface ScoringModel {
  readonly predictor: Predictor
  readonly explainer: Explainer
  readonly ref: ModelRef
  readonly rule: ReportRule
  readonly batch: PredictionBatch
}

/** Probabilities of the same rows. */
export interface ScoredRows {
  readonly champion: Float32Array
  /** Null without a canary. */
  readonly canary: Float32Array | null
  /** Of each row, by the model that serves its node. */
  readonly served: Float32Array
}

export class ServedModels {
  readonly #table: NodeTable
  readonly #champion: ScoringModel
  readonly #canary: ScoringModel | null
  readonly #pools: ReadonlySet<PoolId>

  constructor(
    options: {
      readonly nodeClass: NodeClass
      readonly table: NodeTable
      readonly policies: readonly Policy[]
    },
    champion: ServableModel,
    canary: Canary | null,
  ) {
    const { nodeClass, table, policies } = options
    const served = (model: ServableModel, role: 'champion' | 'canary'): ScoringModel => {
      const { predictor, reference } = model
      const explainer = new Explainer(predictor, reference)
      const ref = modelRef(predictor)
      const rule = new ReportRule(ref, policies, nodeClass.predictionIntervalMs)
      const batch = new PredictionBatch(nodeClass.name, ref, role)
      return { predictor, explainer, ref, rule, batch }
    }
    this.#table = table
    this.#champion = served(champion, 'champion')
    this.#canary = canary && served(canary.model, 'canary')
    this.#pools = canary?.pools ?? new Set()
  }

  get all(): readonly ScoringModel[] {
    return this.#canary === null ? [this.#champion] : [this.#champion, this.#canary]
  }

  ofPool(pool: PoolId): ScoringModel {
    return this.#canary !== null && this.#pools.has(pool) ? this.#canary : this.#champion
  }

  ofNode(index: number): ScoringModel {
    return this.#canary === null ? this.#champion : this.ofPool(this.#table.poolOf(index))
  }

  isSame(champion: ServableModel | null, canary: Canary | null): boolean {
    const pools = canary?.pools ?? new Set()
    return (
      this.#champion.predictor === champion?.predictor &&
      this.#canary?.predictor === canary?.model.predictor &&
      pools.size === this.#pools.size &&
      [...this.#pools].every((pool) => pools.has(pool))
    )
  }

  /** The index of a node that has ended may serve another one from now on. */
  forget(index: number): void {
    for (const { rule } of this.all) rule.forget(index)
  }

  /** The node is another pool's from now on. Where that may mean another model it is told of anew. */
  changePool(index: number): void {
    if (this.#canary !== null) this.forget(index)
  }

  async score(rows: FeatureRows): Promise<ScoredRows> {
    const { matrix, count, node } = rows
    const { probability: champion } = await this.#champion.predictor.predict(matrix, count)
    if (this.#canary === null) return { champion, canary: null, served: champion }
    const { probability: canary } = await this.#canary.predictor.predict(matrix, count)
    const served = champion.map((probability, row) =>
      this.ofNode(node[row]) === this.#canary ? canary[row] : probability,
    )
    return { champion, canary, served }
  }
}

/** What is said of a model wherever it is named. */
export function modelRef(predictor: Predictor): ModelRef {
  const { card } = predictor
  return {
    version: card.version,
    featureHash: card.featureHash,
    horizonMs: card.horizonMs,
    // Another one from when a GPU is lost.
    get provider() {
      return predictor.provider
    },
    explanation: explanationOf(predictor),
    actingPoint: card.actingPoint,
    alertBudgets: card.alertBudgets,
  }
}
