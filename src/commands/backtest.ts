/** `foreshock backtest`: a model, judged on the nodes of a history that its training never saw. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { checkFeatures, loadPredictor, type Predictor } from '../predict/session.ts'
import { featureHash, featureNames } from '../state/features.ts'
import type { CardPart } from '../core/model.ts'
import type { Costs } from '../core/policy.ts'
import { isAnomalyManifest } from '../../training/anomaly/manifest.ts'
import { backtest, type Backtest } from '../../training/backtest.ts'
import { plotTradeoff } from '../../training/tradeoff-plot.ts'
import { cheapestPoint, expectedCost } from '../../training/tradeoff.ts'
import { runAnomalyBacktest } from './anomaly-backtest.ts'
import type { Command, Io } from './command.ts'
import { costsOf } from './costs.ts'
import {
  HISTORY_OPTIONS,
  historySource,
  type HistorySource,
  manifestFile,
} from './history-source.ts'
import { formatNumber, printJson } from './output.ts'
import { packageRoot } from './package.ts'
import { Progress } from './progress.ts'
import { figuresTable, horizonsTable, qualityTable, tradeoffTable } from './quality.ts'

export const command: Command = {
  name: 'backtest',
  summary: 'judge a model on the nodes of a history that its training never saw',
  options: {
    ...HISTORY_OPTIONS,
    model: {
      kind: 'text',
      value: 'DIR',
      summary: "the model's directory; a manifest of anomalies needs none",
      fallback: 'models/NAME of the package, NAME being that of the history',
    },
    plot: { kind: 'text', value: 'FILE', summary: 'write the trade-off as an SVG' },
    'action-cost': {
      kind: 'text',
      value: 'N',
      summary: 'cost of acting on one alert; with --failure-cost it recommends the cheapest point',
    },
    'failure-cost': {
      kind: 'text',
      value: 'N',
      summary: 'cost of a failure that nobody saw coming, in the same unit',
    },
    'lead-time': {
      kind: 'text',
      value: 'DURATION',
      summary: 'in the trade-off a failure counts as foreseen only when seen this long before',
      fallback: '0s',
    },
  },
  async run(args, io) {
    const manifest = manifestFile(args.required('history'))
    if (isAnomalyManifest(manifest)) return runAnomalyBacktest(manifest, args, io)
    const costs = costsOf(args)
    const leadMinMs = args.duration('lead-time') ?? 0
    const source = await historySource(args)
    const modelDir = args.text('model') ?? join(packageRoot(), 'models', source.manifest.name)
    const scorer = await loadFitting(modelDir, source)
    const parts: LoadedPart[] = []
    try {
      for (const part of scorer.card.parts ?? []) {
        parts.push({ part, scorer: await loadFitting(join(modelDir, part.directory), source) })
      }
      const progress = new Progress(io, 'backtest')
      const result = await backtest({
        ...source,
        modelDir,
        scorer,
        parts,
        leadMinMs,
        signal: io.signal,
        onProgress: (doneRatio) => progress.update(doneRatio),
      })
      progress.done()
      const recommended = costs === null ? result.acting : cheapestPoint(result.tradeoff, costs)
      const { name } = scorer.card
      const plot = args.text('plot')
      if (plot !== undefined) {
        const title = `${name}: what acting at each probability brings`
        await mkdir(dirname(plot), { recursive: true })
        await writeFile(plot, plotTradeoff(title, result.tradeoff, recommended))
      }
      if (args.flag('json')) {
        const { model, figures, ...rest } = result
        printJson(io, { ...model, ...figures, ...rest, recommended, provider: scorer.provider })
      } else {
        printResult(io, name, result, recommended, costs)
      }
      return 0
    } finally {
      for (const loaded of [scorer, ...parts.map((part) => part.scorer)]) await loaded.dispose()
    }
  },
}

interface LoadedPart {
  readonly part: CardPart
  readonly scorer: Predictor
}

async function loadFitting(
  directory: string,
  { module, nodeClass }: HistorySource,
): Promise<Predictor> {
  const predictor = await loadPredictor(directory, { kernel: module })
  checkFeatures(predictor.card, {
    featureHash: featureHash(nodeClass),
    featureNames: featureNames(nodeClass),
  })
  return predictor
}

function printResult(
  io: Io,
  name: string,
  { model, horizons, figures, baselines, tradeoff, trainedNodeCount }: Backtest,
  recommended: Backtest['acting'] | null,
  costs: Costs | null,
): void {
  io.stdout(qualityTable({ [name]: model, ...baselines }))
  if (horizons.length > 1) {
    io.stdout('\nby horizon, none over the next longer one:\n')
    io.stdout(horizonsTable(horizons))
  }
  io.stdout(figuresTable(figures))
  io.stdout('\nacting at each probability, per 1,000 node-months:\n')
  io.stdout(tradeoffTable(tradeoff.points, recommended))
  io.stdout(`\n${advice(recommended, costs)}\n`)
  io.stdout(`none of the ${trainedNodeCount} nodes that training saw is counted\n`)
}

function advice(recommended: Backtest['acting'] | null, costs: Costs | null): string {
  if (recommended === null) {
    return 'at these costs it is cheapest never to act: acting_point = 1'
  }
  const at = `acting_point = ${formatNumber(recommended.probability)}`
  if (costs === null) return `${at} is what the card recommends for its alert budget`
  const cost = formatNumber(expectedCost(recommended, costs))
  return `${at} costs least: ${cost} per 1,000 node-months`
}
