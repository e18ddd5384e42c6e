/** `foreshock backtest`: a model, judged on the nodes of a history that its training never saw. */
import { join } from 'node:path'
import { checkFeatures, loadPredictor, type Predictor } from '../predict/session.ts'
import { featureHash, featureNames } from '../state/features.ts'
import type { CardPart } from '../core/model.ts'
import { backtest } from '../../training/backtest.ts'
import type { Command } from './command.ts'
import { HISTORY_OPTIONS, historySource, type HistorySource } from './history-source.ts'
import { printJson } from './output.ts'
import { packageRoot } from './package.ts'
import { Progress } from './progress.ts'
import { figuresTable, qualityTable } from './quality.ts'

export const command: Command = {
  name: 'backtest',
  summary: 'judge a model on the nodes of a history that its training never saw',
  options: {
    ...HISTORY_OPTIONS,
    model: {
      kind: 'text',
      value: 'DIR',
      summary: "the model's directory",
      fallback: 'models/NAME of the package, NAME being that of the history',
    },
  },
  async run(args, io) {
    const source = await historySource(args)
    const modelDir = args.text('model') ?? join(packageRoot(), 'models', source.manifest.name)
    const scorer = await loadFitting(modelDir, source)
    const parts: LoadedPart[] = []
    try {
      for (const part of scorer.card.parts ?? []) {
        parts.push({ part, scorer: await loadFitting(join(modelDir, part.directory), source) })
      }
      const progress = new Progress(io, 'backtest')
      const { model, figures, baselines, trainedNodeCount } = await backtest({
        ...source,
        modelDir,
        scorer,
        parts,
        signal: io.signal,
        onProgress: (doneRatio) => progress.update(doneRatio),
      })
      progress.done()
      if (args.flag('json')) {
        const { provider } = scorer
        printJson(io, { ...model, ...figures, baselines, trainedNodeCount, provider })
      } else {
        io.stdout(qualityTable({ [scorer.card.name]: model, ...baselines }))
        io.stdout(figuresTable(figures))
        io.stdout(`\nnone of the ${trainedNodeCount} nodes that training saw is counted\n`)
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
