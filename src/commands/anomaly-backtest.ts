/** `foreshock backtest` of an anomaly manifest: needs no model, since each node is learned from itself. */
import {
  backtestAnomalies,
  type AnomalyBacktest,
  type AnomalyFigures,
} from '../../training/anomaly/backtest.ts'
import { readAnomalyManifest } from '../../training/anomaly/manifest.ts'
import type { Arguments, ExitCode, Io } from './command.ts'
import { formatNumber, printJson, table } from './output.ts'
import { Progress } from './progress.ts'

const TITLES: Readonly<Record<keyof AnomalyFigures, string>> = {
  vusPr: 'VUS-PR',
  prAuc: 'PR-AUC',
  rocAuc: 'ROC-AUC',
  eventRecall: 'event recall',
  falseRunsPerDay: 'false runs a day',
  eventRecallAtThreshold: 'recall then',
}

export async function runAnomalyBacktest(file: string, args: Arguments, io: Io): Promise<ExitCode> {
  const manifest = readAnomalyManifest(file)
  const dataDir = args.required('data')
  const progress = new Progress(io, 'backtest')
  const result = await backtestAnomalies({
    manifest,
    dataDir,
    signal: io.signal,
    onProgress: (doneRatio, node) => progress.update(doneRatio, node),
  })
  progress.done()
  if (args.flag('json')) {
    const { means, ...rest } = result
    printJson(io, { ...means, ...rest })
  } else {
    io.stdout(anomalyTable(result))
    io.stdout(`\nevent recall is at ${result.falseRunsPerDayAsked} false runs a day; recall then, `)
    io.stdout('with the threshold that each node learned for that rate\n')
    if (result.warmingUp.length > 0) {
      io.stdout(`in warm-up, nothing said of: ${result.warmingUp.join(', ')}\n`)
    }
  }
  return 0
}

/** A line per node, then the means: of all, and of the halves that the detector was, and was not, chosen on. */
function anomalyTable({ nodes, means, halves }: AnomalyBacktest): string {
  const figures = Object.keys(TITLES) as (keyof AnomalyFigures)[]
  const line = (name: string, events: string, of: AnomalyFigures): readonly string[] => [
    name,
    events,
    ...figures.map((figure) => formatNumber(of[figure])),
  ]
  const lines = nodes.map((node) => line(node.node, formatNumber(node.eventCount), node))
  lines.push(line('mean', '', means))
  if (halves.choosing !== null) lines.push(line('mean, choosing half', '', halves.choosing))
  if (halves.reported !== null) lines.push(line('mean, reported half', '', halves.reported))
  return table(
    [
      { title: 'node' },
      { title: 'anomalies', align: 'right' },
      ...figures.map((figure) => ({ title: TITLES[figure], align: 'right' as const })),
    ],
    lines,
  )
}
