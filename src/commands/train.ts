/** `foreshock train`: a labelled history becomes a model directory. */
import { train } from '../../training/train.ts'
import { finishedModel } from './finished-model.ts'
import type { Command } from './command.ts'
import { HISTORY_OPTIONS } from './history-source.ts'
import { printJson } from './output.ts'
import { Progress } from './progress.ts'
import { horizonsTable, qualityTable } from './quality.ts'
import { RECORDED_OPTIONS, trainingSource } from './recorded-source.ts'

export const command: Command = {
  name: 'train',
  summary: 'train a failure model on a labelled history',
  options: {
    ...HISTORY_OPTIONS,
    ...RECORDED_OPTIONS,
    out: { kind: 'text', value: 'DIR', summary: "the model's directory, e.g. models/mine" },
    seed: {
      kind: 'text',
      value: 'N',
      summary: 'the same seed gives the same model',
      fallback: '1',
    },
    resume: { kind: 'flag', summary: 'go on from what an interrupted training has kept' },
    from: { kind: 'text', value: 'MODEL', summary: 'directory of a model to add trees to' },
  },
  async run(args, io) {
    const outDir = args.required('out')
    const seed = args.number('seed') ?? 1
    const from = args.text('from')
    const { release, ...source } = await trainingSource(args, io)
    let progress = new Progress(io, '')
    let step = ''
    const card = await train({
      ...source,
      outDir,
      seed,
      resume: args.flag('resume'),
      ...(from === undefined ? {} : { from: await finishedModel(from) }),
      signal: io.signal,
      onProgress: (update) => {
        if (update.step !== step) {
          if (step !== '') progress.done()
          step = update.step
          progress = new Progress(io, step)
        }
        progress.update(update.doneRatio, update.detail)
      },
    }).finally(release)
    progress.done()
    if (args.flag('json')) {
      printJson(io, card)
      return 0
    }
    io.stdout(`${outDir}: ${card.trees} trees, ${card.features.length} features\n\n`)
    io.stdout(qualityTable({ test: card.test, validation: card.validation, ...card.baselines }))
    if (card.horizons !== undefined) {
      io.stdout('\ntest by horizon, none over the next longer one:\n')
      const all = [...card.horizons, card]
      io.stdout(horizonsTable(all.map(({ horizonMs, test }) => ({ horizonMs, quality: test }))))
    }
    return 0
  },
}
