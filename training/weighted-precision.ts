/**
 * Average precision of weighted rows: where negatives were sampled, each stands for as many as it
 * weighs. Ties are one threshold; with weights of 1 it equals `averagePrecision`.
 */
export function weightedPrecision(
  scores: Float64Array,
  labels: Uint8Array,
  weights: Float32Array,
): number {
  const order = Uint32Array.from(scores, (_, i) => i).sort((a, b) => scores[b] - scores[a])
  let positives = 0
  let all = 0
  let sum = 0
  for (let i = 0; i < order.length;) {
    const score = scores[order[i]]
    let found = 0
    for (; i < order.length && scores[order[i]] === score; i++) {
      const row = order[i]
      all += weights[row]
      if (labels[row] === 1) found += weights[row]
    }
    positives += found
    if (all > 0) sum += found * (positives / all)
  }
  return positives === 0 ? 0 : sum / positives
}
