/** `foreshock tune`: parameters of training by search, for the `training` table of a manifest. */
import { trialToml } from '../../training/search-space.ts'
import { tuneHistory } from '../../training/tune-history.ts'
import type { TriedTrial } from '../../training/tune.ts'
import { ServiceError } from '../core/errors.ts'
import type { Command } from './command.ts'
import { HISTORY_OPTIONS, historySource } from './history-source.ts'
import { formatNumber, printJson, table, writeWhole } from './output.ts'
import { Progress } from './progress.ts'

const TRIALS = 18
const TRIALS_MAX = 500
const FOLDS = 3
const FOLDS_MAX = 10
const SHOWN_MAX = 10

export const command: Command = {
  name: 'tune',
  summary: 'search parameters of training on folds of the nodes it learns from',
  options: {
    ...HISTORY_OPTIONS,
    trials: { kind: 'text', value: 'N', summary: 'how many to try', fallback: String(TRIALS) },
    folds: { kind: 'text', value: 'N', summary: 'folds of nodes', fallback: String(FOLDS) },
    seed: { kind: 'text', value: 'N', summary: 'the same seed tries the same', fallback: '1' },
    out: { kind: 'text', value: 'FILE', summary: 'write the chosen parameters there, as TOML' },
  },
  async run(args, io) {
    const trials = bounded('trials', args.number('trials', 1) ?? TRIALS, TRIALS_MAX)
    const folds = bounded('folds', args.number('folds', 2) ?? FOLDS, FOLDS_MAX)
    const seed = args.number('seed') ?? 1
    const source = await historySource(args)
    let progress = new Progress(io, '')
    let step = ''
    const tried = await tuneHistory({
      ...source,
      trials,
      folds,
      seed,
      signal: io.signal,
      onProgress: (update) => {
        if (update.step !== step) {
          if (step !== '') progress.done()
          step = update.step
          progress = new Progress(io, step)
        }
        progress.update(update.doneRatio, update.detail)
      },
    })
    progress.done()
    const toml = trialToml({ ...tried[0].trial, treesMax: tried[0].trees })
    const out = args.text('out')
    if (out !== undefined) await writeWhole(out, toml)
    if (args.flag('json')) {
      printJson(io, { trials: tried, toml })
      return 0
    }
    io.stdout(`${trialTable(tried)}\n${toml}`)
    return 0
  },
}

function bounded(name: string, value: number, most: number): number {
  if (value <= most) return value
  throw new ServiceError('USAGE', `--${name}: ${value} is more than ${most}`)
}

function trialTable(tried: readonly TriedTrial[]): string {
  const right = 'right' as const
  const titles = ['PR-AUC', 'trees', 'grown', 'leaves', 'depth', 'rate', 'L1', 'L2']
  const columns = [...titles, 'rows min', 'features', 'rows'].map((title) => ({
    title,
    align: right,
  }))
  const lines = tried
    .slice(0, SHOWN_MAX)
    .map(({ trial, quality, trees, share }) => [
      quality.toFixed(4),
      formatNumber(trees),
      share === 1 ? 'all' : `1/${Math.round(1 / share)}`,
      formatNumber(trial.leavesMax),
      trial.depthMax === 0 ? 'free' : formatNumber(trial.depthMax),
      formatNumber(trial.learningRate),
      formatNumber(trial.l1),
      formatNumber(trial.l2),
      formatNumber(trial.rowsMin),
      formatNumber(trial.featureRatio),
      formatNumber(trial.rowRatio),
    ])
  return table(columns, lines)
}
