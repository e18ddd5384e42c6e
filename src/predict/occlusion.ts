/**
 * Contributions of any model, for those that give no exact ones: each feature in turn is taken away (set
 * to missing), and what the margin loses is that feature's contribution. It costs one run over as many
 * rows as there are features. Contributions need not add up to the margin.
 */
import type { Predictor } from './session.ts'

/** @param row float32 [features]; copied, never kept. @returns [features]. */
export async function occlude(
  predictor: Pick<Predictor, 'predict'>,
  row: Float32Array,
): Promise<Float64Array> {
  const width = row.length
  const occluded = new Float32Array((width + 1) * width)
  for (let i = 0; i <= width; i++) {
    occluded.set(row, i * width)
    if (i < width) occluded[i * width + i] = NaN
  }
  const { margin } = await predictor.predict(occluded, width + 1)
  const whole = margin[width]
  return Float64Array.from({ length: width }, (_, i) => whole - margin[i])
}
