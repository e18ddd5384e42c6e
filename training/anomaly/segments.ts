/** Runs of samples: what labels mark as one anomaly, and what an alarm makes of scores. */

/** Sample indices, both within the run. */
export interface Segment {
  readonly first: number
  readonly last: number
}

/** Runs of ones, in order. */
export function segmentsOf(labels: Uint8Array): readonly Segment[] {
  const segments: Segment[] = []
  let first = -1
  for (let i = 0; i <= labels.length; i++) {
    const within = labels[i] === 1
    if (within && first < 0) first = i
    if (within || first < 0) continue
    segments.push({ first, last: i - 1 })
    first = -1
  }
  return segments
}

/** The segment of each sample; -1 outside. */
export function segmentIndex(segments: readonly Segment[], sampleCount: number): Int32Array {
  const index = new Int32Array(sampleCount).fill(-1)
  for (const [k, { first, last }] of segments.entries()) index.fill(k, first, last + 1)
  return index
}
