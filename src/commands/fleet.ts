/**
 * `foreshock fleet`: writes a labelled history of the demonstration fleet, to train on. Left to its
 * defaults it is the history that `training/histories/fleet.toml` divides: kinds of failure to learn
 * from, then kinds to be tested on alone.
 */
import { ServiceError } from '../core/errors.ts'
import { DAY_MS, HOUR_MS } from '../core/time.ts'
import { HISTORY_NODES, writeHistory } from '../fleet/history.ts'
import type { Command } from './command.ts'
import { printJson } from './output.ts'
import { Progress } from './progress.ts'

export const command: Command = {
  name: 'fleet',
  summary: 'write a history of the demonstration fleet, where nobody acts and failures happen',
  options: {
    history: { kind: 'text', value: 'DIR', summary: 'folder to write telemetry and events to' },
    nodes: {
      kind: 'text',
      value: 'N',
      summary: 'nodes of the fleet',
      fallback: String(HISTORY_NODES),
    },
    for: { kind: 'text', value: 'TIME', summary: 'length in fleet time of one set of failures' },
    seed: { kind: 'text', value: 'N', summary: 'the same seed gives the same', fallback: '1' },
    failures: {
      kind: 'text',
      value: 'SET',
      summary:
        'one set of failures: training, held-out or all (default: 24h training, 12h held-out)',
    },
  },
  async run(args, io) {
    const directory = args.required('history')
    const lengthMs = args.duration('for')
    const failures = args.choice('failures', ['training', 'held-out', 'all'])
    if (lengthMs !== undefined && lengthMs <= 0)
      throw new ServiceError('USAGE', '--for: the history must have a length')
    const progress = new Progress(io, 'fleet')
    const summary = await writeHistory({
      directory,
      seed: args.number('seed') ?? 1,
      nodeCount: args.number('nodes', 1) ?? HISTORY_NODES,
      ...(lengthMs === undefined && failures === undefined
        ? {}
        : {
            phases: [{ failures: failures ?? 'training', hours: (lengthMs ?? DAY_MS) / HOUR_MS }],
          }),
      onProgress: (doneRatio) => progress.update(doneRatio),
      signal: io.signal,
    })
    progress.done()
    if (args.flag('json')) {
      printJson(io, { directory, ...summary })
      return 0
    }
    const counts = Object.entries(summary.failures).map(([kind, count]) => `${kind} ${count}`)
    io.stdout(`${directory}: ${summary.sampleCount} samples, ${summary.eventCount} events\n`)
    io.stdout(`failures: ${counts.length === 0 ? 'none' : counts.join(', ')}\n`)
    return 0
  },
}
