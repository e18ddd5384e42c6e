/** The predictions of one buffer that are told of one by one, as records of the topic `predictions`. */
import type { Output } from '../core/bus.ts'
import { horizonProbabilities } from '../predict/horizons.ts'
import type { Predictor } from '../predict/session.ts'
import type { FeatureRows } from '../state/table-views.ts'
import { type PredictionPlace, predictionOutput, type Said } from './prediction-event.ts'
import type { ScoringModel } from './served-models.ts'

/** By its row in the buffer. */
export interface ToldPrediction extends Pick<Said, 'probability' | 'top'> {
  readonly row: number
  readonly model: ScoringModel
}

/** In their order; those at grid times with what shorter horizons say, where the model has them. */
export async function predictionOutputs(
  place: PredictionPlace,
  rows: FeatureRows,
  models: readonly ScoringModel[],
  told: readonly ToldPrediction[],
): Promise<readonly Output[]> {
  const horizons = new Map<number, Said['horizons']>()
  for (const { predictor } of models) {
    if (predictor.shorter === undefined) continue
    const asked = told.filter(
      ({ row, model }) => model.predictor === predictor && rows.trigger[row] === 0,
    )
    const said = await horizonsOf(predictor, rows, asked)
    for (const [i, { row }] of asked.entries()) horizons.set(row, said?.[i] ?? null)
  }
  return told.map(({ row, model, ...said }) => {
    const spread = model.predictor.card.calibrationSpread ?? null
    const whole = { ...said, model: model.ref, spread, horizons: horizons.get(row) ?? null }
    return predictionOutput(place, rows, row, whole)
  })
}

/** Of all these rows in one go. */
async function horizonsOf(
  predictor: Predictor,
  rows: FeatureRows,
  asked: readonly ToldPrediction[],
): ReturnType<typeof horizonProbabilities> {
  if (asked.length === 0) return []
  const width = rows.matrix.length / rows.count
  const matrix = new Float32Array(asked.length * width)
  for (const [i, { row }] of asked.entries()) matrix.set(featuresOf(rows, row), i * width)
  const probability = Float32Array.from(asked, (said) => said.probability)
  return await horizonProbabilities(predictor, matrix, probability)
}

/** A view of one row. */
export function featuresOf({ matrix, count }: FeatureRows, row: number): Float32Array {
  const width = matrix.length / count
  return matrix.subarray(row * width, (row + 1) * width)
}
