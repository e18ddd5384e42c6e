/**
 * A predictor of any runtime, with exact TreeSHAP of the same model beside it: scores come from where they
 * came from, and contributions from the trees that the file holds.
 */
import type { ModelCard } from '../core/model.ts'
import type { ModelBytes } from './model-directory.ts'
import { readEnsemble } from './onnx-trees.ts'
import type { Predictor, Scores } from './session.ts'
import { TreeShap } from './tree-shap.ts'

/** As it was, where the model is no ensemble that is understood, has no covers or is too large. */
export function withShap(
  kernel: WebAssembly.Module,
  { bytes, card }: ModelBytes,
  predictor: Predictor,
): Predictor {
  const width = card.features.length
  const read = readEnsemble(bytes, width)
  const shap = read.ok ? TreeShap.create(kernel, read.ensemble, width) : null
  return shap === null ? predictor : new ExplainedPredictor(predictor, shap)
}

class ExplainedPredictor implements Predictor {
  readonly card: ModelCard
  readonly shap: TreeShap
  readonly #scoring: Predictor

  constructor(scoring: Predictor, shap: TreeShap) {
    this.card = scoring.card
    this.shap = shap
    this.#scoring = scoring
  }

  /** Another one from when a GPU is lost. */
  get provider(): string {
    return this.#scoring.provider
  }

  predict(matrix: Float32Array, rowCount: number): Promise<Scores> {
    return this.#scoring.predict(matrix, rowCount)
  }

  async dispose(): Promise<void> {
    await this.#scoring.dispose()
  }
}
