/**
 * How well scores rank failures and mean what they say. Ties are one threshold, as in scikit-learn,
 * so a constant score has the average precision of the base rate and an ROC area of one half.
 */

type Scores = Float32Array | Float64Array

/** Scores of positives and of negatives, each falling. */
interface Ranked {
  readonly positives: Float64Array
  readonly negatives: Float64Array
}

function rank(scores: Scores, labels: Uint8Array): Ranked {
  let positiveCount = 0
  for (const label of labels) positiveCount += label
  const positives = new Float64Array(positiveCount)
  const negatives = new Float64Array(labels.length - positiveCount)
  let p = 0
  let n = 0
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] === 1) positives[p++] = scores[i]!
    else negatives[n++] = scores[i]!
  }
  return { positives: positives.sort().toReversed(), negatives: negatives.sort().toReversed() }
}

/** For each distinct score, highest first: positives and negatives at or above it. */
function* thresholds({ positives, negatives }: Ranked): Generator<readonly [number, number]> {
  let p = 0
  let n = 0
  while (p < positives.length || n < negatives.length) {
    const score = Math.max(positives[p] ?? -Infinity, negatives[n] ?? -Infinity)
    while (p < positives.length && positives[p] === score) p++
    while (n < negatives.length && negatives[n] === score) n++
    yield [p, n]
  }
}

/** Area under the precision-recall curve as the mean precision at each positive; 0 without any. */
export function averagePrecision(scores: Scores, labels: Uint8Array): number {
  const ranked = rank(scores, labels)
  let before = 0
  let sum = 0
  for (const [p, n] of thresholds(ranked)) {
    if (p > before) sum += (p - before) * (p / (p + n))
    before = p
    if (p === ranked.positives.length) break
  }
  return ranked.positives.length === 0 ? 0 : sum / ranked.positives.length
}

/** Highest share of the positives at or above any score at which precision is at least this. */
export function recallAtPrecision(scores: Scores, labels: Uint8Array, precision: number): number {
  const ranked = rank(scores, labels)
  let most = 0
  for (const [p, n] of thresholds(ranked)) if (p >= precision * (p + n)) most = p
  return ranked.positives.length === 0 ? 0 : most / ranked.positives.length
}

/** Probability that a positive outranks a negative, ties counting half; 0.5 without both kinds. */
export function rocArea(scores: Scores, labels: Uint8Array): number {
  const ranked = rank(scores, labels)
  const pairs = ranked.positives.length * ranked.negatives.length
  if (pairs === 0) return 0.5
  let area = 0
  let [positivesBefore, negativesBefore] = [0, 0]
  for (const [p, n] of thresholds(ranked)) {
    area += (n - negativesBefore) * (positivesBefore + (p - positivesBefore) / 2)
    ;[positivesBefore, negativesBefore] = [p, n]
  }
  return area / pairs
}

/** Mean squared error of the probabilities. */
export function brierScore(probabilities: Scores, labels: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < labels.length; i++) sum += (probabilities[i] - labels[i]) ** 2
  return labels.length === 0 ? 0 : sum / labels.length
}

/** 1 - Brier score / that of always saying the base rate; 0 where labels are all alike. */
export function brierSkill(probabilities: Scores, labels: Uint8Array): number {
  const rate = labels.reduce((sum, label) => sum + label, 0) / labels.length
  const least = rate * (1 - rate)
  return least > 0 ? 1 - brierScore(probabilities, labels) / least : 0
}

/** Expected calibration error over bins of equal width: |mean probability − share of failures|. */
export function calibrationError(probabilities: Scores, labels: Uint8Array, binCount = 20): number {
  const sums = new Float64Array(binCount)
  const positives = new Float64Array(binCount)
  for (let i = 0; i < labels.length; i++) {
    const bin = Math.min(binCount - 1, Math.floor(probabilities[i] * binCount))
    sums[bin] += probabilities[i]
    positives[bin] += labels[i]
  }
  let error = 0
  for (let bin = 0; bin < binCount; bin++) error += Math.abs(sums[bin] - positives[bin])
  return labels.length === 0 ? 0 : error / labels.length
}
