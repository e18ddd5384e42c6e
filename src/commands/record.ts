/** `foreshock record`: keeps what is really seen as Parquet files by day, to be trained on later. */
import { loadNodeClasses } from '../config/node-classes.ts'
import { ServiceError } from '../core/errors.ts'
import { record } from '../store/history-recorder.ts'
import { loadedConfig, openBus } from './bus.ts'
import { type Command, CONFIG_OPTIONS } from './command.ts'
import { printJson } from './output.ts'
import { packagedNodeClasses } from './package.ts'
import { Progress } from './progress.ts'

export const command: Command = {
  name: 'record',
  summary: 'record telemetry, events and predictions as Parquet by day',
  options: {
    ...CONFIG_OPTIONS,
    out: {
      kind: 'text',
      value: 'DIR',
      summary: 'folder of the recording; one that is there is continued',
      fallback: 'history.directory',
    },
    once: { kind: 'flag', summary: 'end when all that is in the topics now has been recorded' },
    flush: { kind: 'text', value: 'TIME', summary: 'write files this often', fallback: '5m' },
  },
  async run(args, io) {
    const config = loadedConfig(args, io)
    const directory = args.text('out') ?? config.history.directory
    if (directory === null) {
      throw new ServiceError('USAGE', 'record: give --out DIR, or set history.directory')
    }
    const nodeClasses = loadNodeClasses(config.nodeClasses.directory ?? packagedNodeClasses())
    const bus = await openBus(config, io)
    const progress = new Progress(io, 'record')
    try {
      const figures = await record({
        bus,
        topology: config.topology,
        nodeClasses,
        directory,
        retentionMs: config.history.retentionMs,
        flushMs: args.duration('flush') ?? config.history.flushMs,
        once: args.flag('once'),
        signal: io.signal,
        onProgress: ({ samples, files }) =>
          progress.update(null, `${samples} samples, ${files} files`),
      })
      progress.done(`${figures.samples} samples, ${figures.files} files`)
      if (args.flag('json')) printJson(io, { directory, ...figures })
      else {
        const { samples, events, predictions, files } = figures
        io.stdout(
          `${directory}: ${samples} samples, ${events} events, ${predictions} predictions in ${files} files\n`,
        )
      }
      return 0
    } finally {
      await bus.close()
    }
  },
}
