/** A model with others of shorter horizons beside it, on the same features. */
import { capByLonger, type HorizonProbability } from '../core/horizons.ts'
import type { ModelCard } from '../core/model.ts'
import type { Predictor, Scores } from './session.ts'
import type { TreeShap } from './tree-shap.ts'

export class HorizonsPredictor implements Predictor {
  readonly card: ModelCard
  /** Rising in horizon, all below that of the main model. */
  readonly shorter: readonly Predictor[]
  readonly shap?: TreeShap
  readonly #main: Predictor

  constructor(main: Predictor, shorter: readonly Predictor[]) {
    this.card = main.card
    this.shorter = shorter
    this.#main = main
    if (main.shap !== undefined) this.shap = main.shap
  }

  get provider(): string {
    return this.#main.provider
  }

  /** By the main model alone, at its price. */
  predict(matrix: Float32Array, rowCount: number): Promise<Scores> {
    return this.#main.predict(matrix, rowCount)
  }

  async dispose(): Promise<void> {
    for (const one of [this.#main, ...this.shorter]) await one.dispose()
  }
}

/**
 * What each horizon says of each row, rising in horizon and never falling in probability; null where the model
 * has but one. Rows together cost a fraction of each alone. @param probability of the main model, [rows].
 */
export async function horizonProbabilities(
  { card, shorter }: Predictor,
  matrix: Float32Array,
  probability: Float32Array,
): Promise<readonly (readonly HorizonProbability[])[] | null> {
  if (shorter === undefined) return null
  let longer = probability
  const columns = [{ horizonMs: card.horizonMs, probability }]
  for (const one of shorter.toReversed()) {
    const scores = await one.predict(matrix, probability.length)
    longer = capByLonger(scores.probability, longer)
    columns.unshift({ horizonMs: one.card.horizonMs, probability: longer })
  }
  return Array.from(probability, (_, row) =>
    columns.map((column) => ({
      horizonMs: column.horizonMs,
      probability: column.probability[row],
    })),
  )
}
