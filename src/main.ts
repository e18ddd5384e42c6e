#!/usr/bin/env -S node --max-semi-space-size=64
/** The command line: wires the process to the commands. No logic lives here. */
import { runCli } from './commands/cli.ts'
import type { Registry } from './commands/cli.ts'

const registry: Registry = {
  replay: async () => (await import('./commands/replay.ts')).command,
  serve: async () => (await import('./commands/serve.ts')).command,
  topics: async () => (await import('./commands/topics.ts')).command,
  report: async () => (await import('./commands/report.ts')).command,
  forecast: async () => (await import('./commands/forecast.ts')).command,
  explain: async () => (await import('./commands/explain.ts')).command,
  ring: async () => (await import('./commands/ring.ts')).command,
  tune: async () => (await import('./commands/tune.ts')).command,
  'tune-policy': async () => (await import('./commands/tune-policy.ts')).command,
  train: async () => (await import('./commands/train.ts')).command,
  config: async () => (await import('./commands/config.ts')).command,
  models: async () => (await import('./commands/models.ts')).command,
  probe: async () => (await import('./commands/probe.ts')).command,
  record: async () => (await import('./commands/record.ts')).command,
  retrain: async () => (await import('./commands/retrain.ts')).command,
  bench: async () => (await import('./commands/bench.ts')).command,
  backtest: async () => (await import('./commands/backtest.ts')).command,
  fleet: async () => (await import('./commands/fleet.ts')).command,
  simulate: async () => (await import('./commands/simulate.ts')).command,
}

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    // A second signal finds no listener and ends the process at once.
    interrupted.abort()
  })
}

// A reader that has seen enough (`foreshock ... | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1)
})

const exitCode = await runCli(registry, process.argv.slice(2), {
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  isTTY: process.stderr.isTTY,
  env: process.env,
  signal: interrupted.signal,
  onHangUp: (listener) => void process.on('SIGHUP', listener),
  nowMs: Date.now,
})

// What was said is out first. Then it is over, whatever the client still holds: a connection that it
// opened for an outage, and forgot, would keep the process.
process.stdout.write('', () => process.stderr.write('', () => process.exit(exitCode)))
