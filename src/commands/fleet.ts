/** `foreshock fleet`: writes a labelled history of the demonstration fleet, to train on. */
import { ServiceError } from '../core/errors.ts'
import { HOUR_MS } from '../core/time.ts'
import { writeHistory } from '../fleet/history.ts'
import type { Command } from './command.ts'
import { printJson } from './output.ts'
import { Progress } from './progress.ts'

/** The fleet's time begins here whatever the day is, so that the same seed gives the same history. */
const FLEET_START_MS = Date.UTC(2026, 0, 1)

export const command: Command = {
  name: 'fleet',
  summary: 'write a history of the demonstration fleet, where nobody acts and failures happen',
  options: {
    history: { kind: 'text', value: 'DIR', summary: 'folder to write telemetry and events to' },
    nodes: { kind: 'text', value: 'N', summary: 'nodes of the fleet', fallback: '300' },
    for: { kind: 'text', value: 'TIME', summary: 'length in fleet time', fallback: '24h' },
    seed: { kind: 'text', value: 'N', summary: 'the same seed gives the same', fallback: '1' },
    failures: {
      kind: 'text',
      value: 'SET',
      summary: 'kinds of failure: training, held-out or all',
      fallback: 'training',
    },
  },
  async run(args, io) {
    const directory = args.required('history')
    const lengthMs = args.duration('for') ?? 24 * HOUR_MS
    if (lengthMs <= 0) throw new ServiceError('USAGE', '--for: the history must have a length')
    const progress = new Progress(io, 'fleet')
    const summary = writeHistory({
      directory,
      seed: args.number('seed') ?? 1,
      nodeCount: args.number('nodes', 1) ?? 300,
      hours: lengthMs / HOUR_MS,
      startMs: FLEET_START_MS,
      failures: args.choice('failures', ['training', 'held-out', 'all']) ?? 'training',
      onProgress: (doneRatio) => progress.update(doneRatio),
      signal: io.signal,
    })
    progress.done()
    if (args.flag('json')) {
      printJson(io, { directory, ...summary })
      return 0
    }
    const failures = Object.entries(summary.failures).map(([kind, count]) => `${kind} ${count}`)
    io.stdout(`${directory}: ${summary.sampleCount} samples, ${summary.eventCount} events\n`)
    io.stdout(`failures: ${failures.length === 0 ? 'none' : failures.join(', ')}\n`)
    return 0
  },
}
