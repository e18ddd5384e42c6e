/** `foreshock backtest`: a model, judged on the nodes of a history that its training never saw. */
import { checkFeatures, loadPredictor } from '../predict/session.ts'
import { featureHash, featureNames } from '../state/features.ts'
import { backtest } from '../../training/backtest.ts'
import type { Command } from './command.ts'
import { HISTORY_OPTIONS, historySource } from './history-source.ts'
import { printJson } from './output.ts'
import { Progress } from './progress.ts'
import { qualityTable } from './quality.ts'

export const command: Command = {
  name: 'backtest',
  summary: 'judge a model on the nodes of a history that its training never saw',
  options: {
    ...HISTORY_OPTIONS,
    model: { kind: 'text', value: 'DIR', summary: "the model's directory" },
  },
  async run(args, io) {
    const modelDir = args.required('model')
    const source = await historySource(args)
    const scorer = await loadPredictor(modelDir, { kernel: source.module })
    try {
      const { nodeClass } = source
      checkFeatures(scorer.card, {
        featureHash: featureHash(nodeClass),
        featureNames: featureNames(nodeClass),
      })
      const progress = new Progress(io, 'backtest')
      const { model, baselines, trainedNodeCount } = await backtest({
        ...source,
        modelDir,
        scorer,
        signal: io.signal,
        onProgress: (doneRatio) => progress.update(doneRatio),
      })
      progress.done()
      if (args.flag('json')) {
        printJson(io, { ...model, baselines, trainedNodeCount, provider: scorer.provider })
      } else {
        io.stdout(qualityTable({ [scorer.card.name]: model, ...baselines }))
        io.stdout(`\nnone of the ${trainedNodeCount} nodes that training saw is counted\n`)
      }
      return 0
    } finally {
      await scorer.dispose()
    }
  },
}
