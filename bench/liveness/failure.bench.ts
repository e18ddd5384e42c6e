/**
 * A node dies: who says so first, and who blames nodes that live? Every detector sees the same signs
 * of life, jittered, some lost, and once in a while our own ingest stands still for longer than any
 * timeout. A detection is what a recovery command follows from within a commit or two (the bench of
 * detection latency has that time); it is swept for every second, as the service does.
 */
import type { Bench, BenchRow } from '../bench.ts'
import {
  type Detector,
  type Judged,
  judge,
  ourDetector,
  phiDetector,
  timeoutDetector,
} from './detectors.ts'
import { createWorld, type WorldOptions } from './world.ts'

const HOUR_MS = 3_600_000
const TIMEOUTS_MS = [10_000, 15_000, 20_000, 30_000, 45_000, 60_000, 90_000, 120_000]
const PHIS = [1, 2, 4, 8, 12, 16, 32, 64, 128]
const NETWORK: Omit<WorldOptions, 'seed' | 'nodeCount'> = {
  lengthMs: HOUR_MS,
  intervalMs: 5_000,
  delayMs: 300,
  lossRatio: 0.005,
  stallMs: 40_000,
  stallEveryMs: 10 * 60_000,
}

export const bench: Bench = {
  name: 'failure detection',
  async run({ quick }) {
    const nodeCount = quick ? 200 : 800
    const calm = { ...NETWORK, stallMs: 0, seed: 11, nodeCount }
    const stalling = { ...NETWORK, seed: 12, nodeCount }
    return [
      ...(await compare('ingest stalls at times', stalling, 1)),
      // Without stalls a timeout of three heartbeats is the same rule; what is left is chance.
      ...(await compare('ingest never stalls', calm, null)),
    ]
  },
}

async function compare(
  where: string,
  options: WorldOptions,
  reach: number | null,
): Promise<readonly BenchRow[]> {
  const world = createWorld(options)
  const against = `${world.deaths.size} deaths in an hour, ${where}`
  const run = (detector: Detector): Named => ({
    name: detector.name,
    ...judge(world, detector, options.lengthMs),
  })
  const ours = run(await ourDetector(world))
  const rivals = [
    ['fixed timeout', TIMEOUTS_MS.map((ms) => run(timeoutDetector(ms)))],
    ['phi accrual', PHIS.map((phi) => run(phiDetector(phi)))],
  ] as const
  return [
    ...[ours, ...rivals.flatMap(([, settings]) => settings)].map((each) =>
      figureRow(each, against),
    ),
    ...rivals.map(([name, settings]) => equalRow(`${name}, ${where}`, settings, ours, reach)),
  ]
}

type Named = Judged & { readonly name: string }

function figureRow(judged: Named, against: string): BenchRow {
  const { name, medianMs, p99Ms, missed, falseAlarms } = judged
  const figures = { medianMs, p99Ms, missed, falseAlarms }
  const what = `${name}: median ${(medianMs / 1_000).toFixed(1)} s; false alarms`
  return { what, against, value: falseAlarms, reach: null, ok: true, figures }
}

/** The quickest setting of a rival that blames the living no more often than we do. */
function equalRow(
  name: string,
  settings: readonly Named[],
  ours: Named,
  reach: number | null,
): BenchRow {
  const fair = settings
    .filter((each) => each.falseAlarms <= ours.falseAlarms && each.missed <= ours.missed)
    .toSorted((a, b) => a.medianMs - b.medianMs)[0]
  const what = 'time until a death is seen, at no more false alarms, in times of ours'
  if (fair === undefined) {
    const against = `${name}: no setting has so few false alarms`
    return { what, against, value: null, reach, ok: true }
  }
  const value = fair.medianMs / ours.medianMs
  const ok = reach === null || (value >= reach && ours.missed === 0)
  return { what, against: `${name}: ${fair.name}`, value, reach, ok }
}
