/** Sentences for people: why something is done, and what a model saw. Percent lives only here. */
import type { Contribution, ExpectedRange } from '../core/assessment.ts'
import type { CommandAction } from '../core/command.ts'
import { never } from '../core/errors.ts'
import type { Evidence } from '../core/fault.ts'
import type { NodeId, WorkloadId } from '../core/ids.ts'
import { formatDuration } from '../core/time.ts'

/** Features named in a sentence; the evidence holds more. */
const FEATURES_MAX = 3

export function percent(ratio: number): string {
  return `${Number((ratio * 100).toPrecision(3))} %`
}

/** Rounded for reading: whole seconds from ten seconds on. */
export function lasting(ms: number): string {
  return formatDuration(ms >= 10_000 ? Math.round(ms / 1_000) * 1_000 : Math.round(ms))
}

export function silenceReason(node: string, silentForMs: number): string {
  return `Node ${node} has sent no sign of life for ${lasting(silentForMs)}.`
}

export function failureReason(node: string, failureKind: string): string {
  return `Node ${node} has failed, as an event confirms: ${failureKind}.`
}

export function predictionReason(
  node: string,
  probability: number,
  actingPoint: number,
  horizonMs: number | null,
): string {
  const within = horizonMs === null ? 'soon' : `within ${lasting(horizonMs)}`
  const point = `acting point ${percent(actingPoint)}`
  return `Node ${node} is expected to fail ${within} with probability ${percent(probability)} (${point}).`
}

/** Empty when the model gave no contributions. */
export function featureReasons(top: readonly Contribution[]): readonly string[] {
  return top.slice(0, FEATURES_MAX).map((each) => {
    const { feature, value, contribution } = each
    const direction = contribution >= 0 ? 'raises' : 'lowers'
    const beside = besideText(each)
    return `${feature} is ${value === null ? 'missing' : rounded(value)}${beside} and ${direction} it.`
  })
}

/** ` (usual 0 to 1, above 99 % of its peers)`, or what of it is known. */
export function besideText(of: {
  readonly expected?: ExpectedRange | null
  readonly peerPercentile?: number | null
}): string {
  const { expected = null, peerPercentile = null } = of
  const parts: string[] = []
  if (expected !== null) parts.push(`usual ${rangeText(expected)}`)
  if (peerPercentile !== null) parts.push(`${peersText(peerPercentile)} of its peers`)
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`
}

function rangeText({ low, high }: ExpectedRange): string {
  if (high === null) return `above ${rounded(low)}`
  return low === high ? rounded(low) : `${rounded(low)} to ${rounded(high)}`
}

/** Whole percent, rounded down: nobody is above all of a cohort that it is part of. */
function peersText(percentile: number): string {
  const isAbove = percentile >= 0.5
  const share = isAbove ? percentile : 1 - percentile
  return `${isAbove ? 'above' : 'below'} ${Math.floor(share * 100)} %`
}

/** The evidence of an anomaly: its deviation, then the metric that shows it. */
export function anomalyReason(node: string, [deviation, metric]: readonly Evidence[]): string {
  const said = `Node ${node} does what it never did: ${metric.what} is ${roundedText(metric.value)}`
  const usual = `where ${roundedText(metric.limit)} was expected`
  return `${said} ${usual}, ${roundedText(deviation.value)} deviations off.`
}

function roundedText(value: Evidence['limit']): string {
  return typeof value === 'number' ? rounded(value) : String(value)
}

function rounded(value: number): string {
  return String(Number(value.toPrecision(4)))
}

/** What a command does, as a sentence; without a target it is what it would do. */
export function commandSentence(
  action: CommandAction,
  workload: WorkloadId | null,
  node: NodeId,
  target: NodeId | null,
): string {
  const to = target === null ? 'elsewhere' : `to node ${target}`
  switch (action) {
    case 'migrate':
      return `Workload ${workload} moves from node ${node} ${to}.`
    case 'recover':
      return `Workload ${workload} of node ${node} starts again${target === null ? ' elsewhere' : ` on node ${target}`}.`
    case 'promote':
      return `Workload ${workload} of node ${node} goes on from its standby${target === null ? '' : ` on node ${target}`}.`
    case 'fence':
      return `Node ${node} is fenced before its work starts elsewhere.`
    case 'restart':
      return `Node ${node} is restarted where it is.`
    case 'replicate':
      return `Node ${node} fetches what it has wrong from nodes that have it right.`
    case 'cordon':
      return `Node ${node} takes no new work.`
    case 'uncordon':
      return `Node ${node} takes work again.`
    case 'cancel':
      return `What is under way for node ${node} is withdrawn.`
    default:
      return never(action)
  }
}
