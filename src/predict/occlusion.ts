/**
 * Why a probability is high, for any model: each feature in turn is taken away (set to missing),
 * and what the margin loses is that feature's contribution. It costs one run over as many rows as
 * there are features, so it is asked only for nodes at or near the acting point.
 */
import type { Contribution } from '../core/assessment.ts'
import type { Predictor } from './session.ts'

export const CONTRIBUTIONS_MAX = 5

/** @param row float32 [features]; copied, never kept. @returns largest first, raising ones only. */
export async function contributions(
  predictor: Predictor,
  row: Float32Array,
): Promise<readonly Contribution[]> {
  const names = predictor.card.features
  const width = names.length
  const occluded = new Float32Array((width + 1) * width)
  for (let i = 0; i <= width; i++) {
    occluded.set(row.subarray(0, width), i * width)
    if (i < width) occluded[i * width + i] = NaN
  }
  const { margin } = await predictor.predict(occluded, width + 1)
  const whole = margin[width]
  return names
    .map((feature, i) => ({
      feature,
      value: Number.isNaN(row[i]) ? null : row[i],
      expected: null,
      peerPercentile: null,
      contribution: whole - margin[i],
    }))
    .filter(({ contribution }) => contribution > 0)
    .sort((a, b) => b.contribution - a.contribution)
    .slice(0, CONTRIBUTIONS_MAX)
}
