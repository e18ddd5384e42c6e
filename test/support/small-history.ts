/** A made-up history of drives on disk: those whose pending sectors grow fail, most of the time. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NodeClass } from '../../src/core/node.ts'
import { DAY_MS } from '../../src/core/time.ts'
import { parseManifest, type Manifest } from '../../training/manifest.ts'

export const SMALL_CLASS: NodeClass = {
  name: 'small-drive',
  metrics: [
    { name: 'pending', unit: '1', kind: 'gauge', min: 0, max: null, health: null, peers: false },
    { name: 'noise', unit: '1', kind: 'gauge', min: 0, max: null, health: null, peers: false },
  ],
  attributes: [
    { name: 'maker', label: 'maker', kind: 'category', values: ['a', 'b'], error: null },
  ],
  halfLivesMs: [7 * DAY_MS, 30 * DAY_MS, 90 * DAY_MS],
  heartbeatIntervalMs: null,
  detectionWindowMs: 30_000,
  predictionIntervalMs: 7 * DAY_MS,
  gridOrigin: 'first-sample',
}

export const SMALL_MANIFEST = `
name = "small"
node_class = "small-drive"
horizon = "30d"
files = ["samples.csv", "events.csv"]
[split]
fit = 60
calibration = 70
validation = 80
[training]
trees = 30
leaves = 8
[sql]
telemetry = """SELECT node, "at", pending, noise FROM read_csv('{data}/samples.csv')"""
events = """SELECT node, "at", kind, maker FROM read_csv('{data}/events.csv')"""
[baselines.pending]
counts_over_zero = ["pending"]
`

export function smallManifest(text = SMALL_MANIFEST): Manifest {
  return parseManifest(text, 'small.toml')
}

export const SMALL_NODES = 200

/** Writes the history; returns its directory. */
export function writeSmallHistory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-history-'))
  mkdirSync(directory, { recursive: true })
  const samples = ['node,at,pending,noise']
  const events = ['node,at,kind,maker']
  for (let n = 0; n < SMALL_NODES; n++) {
    const node = `drive-${n}`
    const startMs = 1_400_000_000_000 + n * DAY_MS
    const fails = n % 3 === 0
    const days = fails ? 100 + (n % 40) : 200
    events.push(`${node},${startMs},join,${n % 2 === 0 ? 'a' : 'b'}`)
    for (let day = 0; day < days; day += 5) {
      const pending = fails && days - day < 40 ? 40 - (days - day) : ''
      samples.push(
        `${node},${startMs + day * DAY_MS},${pending === '' ? 0 : pending},${(n * 31 + day * 17) % 23}`,
      )
    }
    events.push(`${node},${startMs + days * DAY_MS},${fails ? 'failure' : 'leave'},`)
  }
  writeFileSync(join(directory, 'samples.csv'), `${samples.join('\n')}\n`)
  writeFileSync(join(directory, 'events.csv'), `${events.join('\n')}\n`)
  return directory
}
