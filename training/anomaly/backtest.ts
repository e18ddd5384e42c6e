/**
 * `foreshock backtest` of an anomaly manifest: each node's detector learns from the node's train query
 * and is judged on its test query, sample after sample as they would have come.
 */
import { ServiceError } from '../../src/core/errors.ts'
import { DAY_MS } from '../../src/core/time.ts'
import { AnomalyDetector, WARM_UP_SAMPLES } from '../../src/detect/anomaly/detector.ts'
import { rowOf } from '../../src/detect/anomaly/series.ts'
import { averagePrecision, rocArea } from '../quality.ts'
import { nodeHash, nodeShare } from '../manifest.ts'
import { countRuns, foundWithin, GAP_MAX } from './events.ts'
import { openAnomalyHistory, type NodeHistory } from './history.ts'
import type { AnomalyManifest } from './manifest.ts'
import { segmentsOf } from './segments.ts'
import { vusPr } from './vus.ts'

/** Nodes under this share of their hash were for choosing the detector; figures are of the others. */
const CHOSEN_ON_BELOW = 50

export interface AnomalyFigures {
  /** Of the score: volume under the range-based precision-recall surface, buffer 100. */
  readonly vusPr: number
  /** Of the score, sample by sample. */
  readonly prAuc: number
  readonly rocAuc: number
  /** Of the alarm: anomalies found where false runs are as many as asked for. */
  readonly eventRecall: number
  /** With the threshold that the node's past gave, followed as it goes. */
  readonly falseRunsPerDay: number
  /** Anomalies found with that threshold. */
  readonly eventRecallAtThreshold: number
}

export interface NodeFigures extends AnomalyFigures {
  readonly node: string
  readonly sampleCount: number
  readonly eventCount: number
  /** `choosing`: the detector was chosen on nodes like this one; `reported`: on none of these. */
  readonly half: 'choosing' | 'reported'
}

export interface AnomalyBacktest {
  readonly falseRunsPerDayAsked: number
  readonly nodes: readonly NodeFigures[]
  /** Nodes with too few samples to learn from: nothing is said of them. */
  readonly warmingUp: readonly string[]
  readonly means: AnomalyFigures
  /** Means of either half; null where it has no node. */
  readonly halves: Readonly<Record<NodeFigures['half'], AnomalyFigures | null>>
}

export interface AnomalyBacktestOptions {
  readonly manifest: AnomalyManifest
  readonly dataDir: string
  /** 0..1 of the nodes, and the node that is next. */
  readonly onProgress?: (doneRatio: number, node: string) => void
  readonly signal?: AbortSignal
}

/** ServiceError HISTORY_EMPTY when every node is in warm-up, INTERRUPTED, and `openAnomalyHistory`'s. */
export async function backtestAnomalies(options: AnomalyBacktestOptions): Promise<AnomalyBacktest> {
  const { manifest, dataDir, onProgress, signal } = options
  const history = await openAnomalyHistory(manifest, dataDir)
  const nodes: NodeFigures[] = []
  const warmingUp: string[] = []
  try {
    for (const [i, node] of history.nodes.entries()) {
      onProgress?.(i / history.nodes.length, node)
      // A breath for the signal's own handler: judging a node is synchronous.
      await new Promise((resolve) => setImmediate(resolve))
      if (signal?.aborted === true) throw new ServiceError('INTERRUPTED', 'stopped between nodes')
      const read = await history.read(node)
      if (read.train.sampleCount < WARM_UP_SAMPLES) warmingUp.push(node)
      else nodes.push(judgeNode(read, manifest))
    }
  } finally {
    history.close()
  }
  if (nodes.length === 0) {
    throw new ServiceError(
      'HISTORY_EMPTY',
      `history \`${manifest.name}\`: all ${warmingUp.length} nodes in ${dataDir} are in warm-up: bring at least ${WARM_UP_SAMPLES} samples to learn from`,
    )
  }
  const of = (half: NodeFigures['half']) => nodes.filter((node) => node.half === half)
  return {
    falseRunsPerDayAsked: manifest.falseRunsPerDay,
    nodes,
    warmingUp,
    means: meansOf(nodes)!,
    halves: { choosing: meansOf(of('choosing')), reported: meansOf(of('reported')) },
  }
}

function judgeNode(history: NodeHistory, manifest: AnomalyManifest): NodeFigures {
  const { node, train, test, labels } = history
  const samplesPerDay = DAY_MS / manifest.sampleIntervalMs
  const detector = new AnomalyDetector(train, {
    samplesPerDay,
    falseRunsPerDay: manifest.falseRunsPerDay,
    gapMax: GAP_MAX,
  })
  const scores = new Float64Array(test.sampleCount)
  const statistic = new Float64Array(test.sampleCount)
  const alarms = new Uint8Array(test.sampleCount)
  for (let i = 0; i < test.sampleCount; i++) {
    const reading = detector.push(rowOf(test, i))
    scores[i] = reading.score
    statistic[i] = reading.alarmStatistic
    alarms[i] = reading.alarm ? 1 : 0
  }
  const days = test.sampleCount / samplesPerDay
  const eventCount = segmentsOf(labels).length
  const { falseRunCount, foundCount } = countRuns(alarms, labels)
  const found = foundWithin(statistic, labels, manifest.falseRunsPerDay * days)
  return {
    node,
    sampleCount: test.sampleCount,
    eventCount,
    half: nodeShare(nodeHash(node)) < CHOSEN_ON_BELOW ? 'choosing' : 'reported',
    vusPr: vusPr(scores, labels),
    prAuc: averagePrecision(scores, labels),
    rocAuc: rocArea(scores, labels),
    eventRecall: eventCount === 0 ? 0 : found / eventCount,
    falseRunsPerDay: falseRunCount / days,
    eventRecallAtThreshold: eventCount === 0 ? 0 : foundCount / eventCount,
  }
}

const FIGURES = [
  'vusPr',
  'prAuc',
  'rocAuc',
  'eventRecall',
  'falseRunsPerDay',
  'eventRecallAtThreshold',
] as const satisfies readonly (keyof AnomalyFigures)[]

/** Every node counts the same. Nodes without an anomaly tell false runs only. */
function meansOf(nodes: readonly NodeFigures[]): AnomalyFigures | null {
  if (nodes.length === 0) return null
  const means = FIGURES.map((figure) => {
    const counted =
      figure === 'falseRunsPerDay' ? nodes : nodes.filter(({ eventCount }) => eventCount > 0)
    const sum = counted.reduce((total, node) => total + node[figure], 0)
    return [figure, counted.length === 0 ? 0 : sum / counted.length] as const
  })
  return Object.fromEntries(means) as Record<keyof AnomalyFigures, number>
}
