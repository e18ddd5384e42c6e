/** A model whose contributions are known: it adds up. */
import type { Predictor } from '../../src/predict/session.ts'
import { DRIVE } from './history/parity-classes.ts'
import { tinyCard } from './history/tiny-model.ts'

const BIAS = -2

/** Margin = bias + sum of weight x value; a missing value adds nothing. */
export function linearPredictor(weights: readonly number[], names?: readonly string[]): Predictor {
  const features = names ?? weights.map((_, index) => `f${index}`)
  return {
    card: { ...tinyCard(DRIVE, new Uint8Array()), features },
    provider: 'linear',
    predict: async (matrix, rowCount) => {
      const margin = Float32Array.from({ length: rowCount }, (_, row) =>
        weights.reduce((sum, weight, feature) => {
          const value = matrix[row * weights.length + feature]
          return Number.isNaN(value) ? sum : sum + weight * value
        }, BIAS),
      )
      return { margin, probability: margin.map((m) => 1 / (1 + Math.exp(-m))) }
    },
    dispose: async () => undefined,
  }
}
