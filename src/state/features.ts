/**
 * The columns of the feature tensor: their names, in the order in which the kernel writes them, and
 * the hash by which a model and a table recognise each other.
 *
 * Per metric: value; residual and standard deviation at three half-lives; trend; decayed counts of
 * changes; hours since the last change; staleness; running maximum; place among peers. A code has no
 * moments and no maximum, and a signal has its three means instead of counts of changes. Then the attributes, then the age. Nothing here depends on log time.
 */
import { createHash } from 'node:crypto'
import { formatDuration } from '../core/time.ts'
import type { Attribute, Metric, NodeClass } from '../core/node.ts'

export function featureNames(nodeClass: NodeClass): readonly string[] {
  const halfLives = nodeClass.halfLivesMs.map(formatDuration)
  return [
    ...nodeClass.metrics.flatMap((metric) => metricFeatures(metric, halfLives)),
    ...nodeClass.attributes.map(
      (attribute) => attribute.name + (attributeIsSince(attribute) ? '.hours' : ''),
    ),
    'age.hours',
  ]
}

/** Of what the means of a signal are. */
const SIGNAL_MEANS = 'of what was seen'

/** sha256 over everything that gives a column its meaning. */
export function featureHash(nodeClass: NodeClass): string {
  const meaning = {
    class: nodeClass.name,
    halfLivesMs: nodeClass.halfLivesMs,
    metrics: nodeClass.metrics.map(({ name, kind }) => [
      name,
      kind,
      ...(kind === 'signal' ? [SIGNAL_MEANS] : []),
    ]),
    categories: nodeClass.attributes.map(({ name, kind, values, error }) => [
      name,
      kind,
      ...values,
      ...(error === null ? [] : [error]),
    ]),
    features: featureNames(nodeClass),
  }
  return createHash('sha256').update(JSON.stringify(meaning)).digest('hex')
}

/** The metrics whose place among peers is a feature, in order: those with the flag and both bounds. */
export function peerMetrics(nodeClass: NodeClass): readonly Metric[] {
  return nodeClass.metrics.filter(({ peers, min, max }) => peers && min !== null && max !== null)
}

export function attributeIsSince(attribute: Attribute): boolean {
  return attribute.kind === 'since'
}

/** The number the kernel holds for a label: NaN where it is absent, unknown or no number. */
export function attributeValue(attribute: Attribute, label: string | null | undefined): number {
  if (label === null || label === undefined || label === '') return Number.NaN
  if (attribute.kind !== 'category') return Number(label)
  const index = attribute.values.indexOf(label)
  return index < 0 ? Number.NaN : index
}

function metricFeatures(metric: Metric, halfLives: readonly string[]): readonly string[] {
  const each = (what: string): readonly string[] => halfLives.map((h) => `${what}.${h}`)
  const held = metric.kind !== 'code'
  const isPeer = metric.peers && metric.min !== null && metric.max !== null
  return [
    'value',
    ...(held ? [...each('residual'), ...each('deviation'), 'trend'] : []),
    ...each(metric.kind === 'signal' ? 'mean' : 'changes'),
    'since-change.hours',
    'stale.hours',
    ...(held ? ['max'] : []),
    ...(isPeer ? ['peers'] : []),
  ].map((what) => `${metric.name}.${what}`)
}
