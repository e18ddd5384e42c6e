/** `npm run chaos [-- --kills 20] [--json]`: kill -9 at every step of every commit, then the books. */
import {
  atLeast,
  atMost,
  figure,
  printScoreboard,
  type ScoreRow,
} from '../src/commands/scoreboard.ts'
import { type ChaosResult, runChaos } from '../test/support/chaos/chaos.ts'
import { kafkaBrokers, kcat, uniquePrefix } from '../test/support/kafka.ts'
import { optionsOf } from './options.ts'

const KILLS_DEFAULT = '20'

function rowsOf(result: ChaosResult, kills: number): readonly ScoreRow[] {
  const asked = kills * result.points
  const where = `${kills} at each of ${result.points} points of a commit`
  return [
    atLeast('processes killed', result.kills, asked, where),
    figure('minutes', Math.round(result.elapsedMs / 6_000) / 10, 'two processes, 8 + 8 partitions'),
    atLeast('nodes failed', result.failures, 1),
    figure('commands', result.commands, 'kcat, read committed'),
    atMost('command ids seen twice', result.commandsTwice, 0),
    atMost('fences lost', result.fencesLost, 0, 'one a failure'),
    atMost('fences sent twice', result.fencesTwice, 0, 'whatever their ids'),
    atMost('recoveries lost', result.recoveriesLost, 0, 'one a failure'),
    atMost('recoveries sent twice', result.recoveriesTwice, 0, 'whatever their ids'),
    atMost('commands for nodes that live', result.uncalledFor, 0),
    figure('commands expired', result.expired, 'each may be sent again'),
    atMost('commands refused by executors', result.rejected, 0),
    atLeast('samples', result.samples, 1, 'produced'),
    atMost('samples lost', result.samplesLost, 0, 'node-log, kcat, read committed'),
    atMost('samples counted twice', result.samplesTwice, 0, 'node-log, kcat, read committed'),
    atMost('input records not read', result.behind, 0),
  ]
}

const values = optionsOf({
  kills: { type: 'string', default: KILLS_DEFAULT },
  json: { type: 'boolean', default: false },
})
const kills = Number(values.kills)
if (!Number.isInteger(kills) || kills < 1) {
  process.stderr.write(`--kills: "${values.kills}" is no whole number above 0\n`)
  process.exit(2)
}
const brokers = await kafkaBrokers()
const program = kcat()
if (brokers === null || program === null) process.exit(1)

const result = await runChaos({
  brokers,
  kcat: program,
  prefix: uniquePrefix('chaos'),
  kills,
  onKill: ({ role, step }, count, total) => {
    process.stderr.write(`kill ${count} of ${total}: ${role} at ${step}\n`)
  },
})
for (const finding of result.findings) process.stderr.write(`${finding}\n`)
process.exitCode = printScoreboard(
  {
    stdout: (text) => process.stdout.write(text),
    stderr: (text) => process.stderr.write(text),
    isTTY: false,
    env: {},
    signal: new AbortController().signal,
    nowMs: Date.now,
  },
  rowsOf(result, kills),
  values.json,
)
