/**
 * VUS-PR: the volume under the surface of range-based precision and recall over all widths of a buffer
 * around each anomaly (Paparrizos et al., "Volume Under the Surface", VLDB 2022). A score that is a few
 * samples early or late still counts, less the further it is off.
 *
 * It follows the `vus` package, version 0.0.6, "opt": recall counts half of the buffer that was
 * reached, times the share of anomalies that were reached at all. Scores are only sorted once, into
 * the thresholds' bins; then every width is a pass over the samples near the anomalies.
 */
import { segmentsOf, type Segment } from './segments.ts'

const THRESHOLD_COUNT = 250

/** Area 0..1; 0 without an anomaly. Higher scores are more anomalous; none may be NaN. */
export function vusPr(scores: Float64Array, labels: Uint8Array, bufferMax = 100): number {
  const segments = segmentsOf(labels)
  if (segments.length === 0) return 0
  const bins = thresholdBins(scores)
  const alarmCount = cumulated(bins, () => 1)
  const trueCount = cumulated(bins, (i) => labels[i])
  let volume = 0
  for (let buffer = 0; buffer <= bufferMax; buffer++) {
    const weights = bufferWeights(segments, labels, buffer)
    const nearCount = cumulated(bins, (i) => weights[i])
    const reached = reachedRatio(mergedSegments(segments, labels.length, buffer), bins)
    volume += areaOf(alarmCount, trueCount, nearCount, reached)
  }
  return volume / (bufferMax + 1)
}

/** For each sample the first threshold, highest first, that its score reaches. */
function thresholdBins(scores: Float64Array): Uint16Array {
  const falling = scores.toSorted().toReversed()
  const thresholds = Float64Array.from({ length: THRESHOLD_COUNT }, (_, k) => {
    return falling[Math.trunc((k * (scores.length - 1)) / (THRESHOLD_COUNT - 1))]
  })
  return Uint16Array.from(scores, (score) => {
    let [from, to] = [0, THRESHOLD_COUNT - 1]
    while (from < to) {
      const middle = (from + to) >> 1
      if (score >= thresholds[middle]) to = middle
      else from = middle + 1
    }
    return from
  })
}

/** Sum of `weight` over the samples at or above each threshold. */
function cumulated(bins: Uint16Array, weight: (sample: number) => number): Float64Array {
  const sums = new Float64Array(THRESHOLD_COUNT)
  for (let i = 0; i < bins.length; i++) sums[bins[i]] += weight(i)
  for (let k = 1; k < THRESHOLD_COUNT; k++) sums[k] += sums[k - 1]
  return sums
}

/** What a sample outside of the anomalies counts: sqrt(1 - distance / buffer), up to half a buffer off. */
function bufferWeights(
  segments: readonly Segment[],
  labels: Uint8Array,
  buffer: number,
): Float64Array {
  const weights = new Float64Array(labels.length)
  const reach = buffer >> 1
  const add = (i: number, distance: number): void => {
    if (i < 0 || i >= labels.length || labels[i] === 1) return
    weights[i] = Math.min(1, weights[i] + Math.sqrt(1 - distance / buffer))
  }
  for (const { first, last } of segments) {
    for (let d = 1; d <= reach; d++) {
      add(first - d, d)
      add(last + d, d)
    }
  }
  return weights
}

/** Anomalies with their buffers; those that meet are one. */
function mergedSegments(
  segments: readonly Segment[],
  sampleCount: number,
  buffer: number,
): readonly Segment[] {
  const reach = buffer >> 1
  const merged: Segment[] = []
  for (const segment of segments) {
    const first = Math.max(0, segment.first - reach)
    const last = Math.min(sampleCount - 1, segment.last + reach)
    const before = merged.at(-1)
    if (before !== undefined && before.last >= first) {
      merged[merged.length - 1] = { first: before.first, last }
    } else {
      merged.push({ first, last })
    }
  }
  return merged
}

/** Share of the segments that hold a sample at or above each threshold. */
function reachedRatio(segments: readonly Segment[], bins: Uint16Array): Float64Array {
  const ratio = new Float64Array(THRESHOLD_COUNT)
  for (const { first, last } of segments) {
    let earliest = THRESHOLD_COUNT - 1
    for (let i = first; i <= last; i++) earliest = Math.min(earliest, bins[i])
    ratio[earliest] += 1 / segments.length
  }
  for (let k = 1; k < THRESHOLD_COUNT; k++) ratio[k] += ratio[k - 1]
  return ratio
}

function areaOf(
  alarmCount: Float64Array,
  trueCount: Float64Array,
  nearCount: Float64Array,
  reached: Float64Array,
): number {
  const positiveCount = trueCount[THRESHOLD_COUNT - 1]
  let area = 0
  let recallBefore = 0
  for (let k = 0; k < THRESHOLD_COUNT; k++) {
    const truths = trueCount[k] + nearCount[k]
    const recall = Math.min(1, truths / (positiveCount + nearCount[k] / 2)) * reached[k]
    area += (recall - recallBefore) * (truths / alarmCount[k])
    recallBefore = recall
  }
  return area
}
