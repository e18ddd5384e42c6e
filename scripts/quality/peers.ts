/** The peers: other trainers on the same rows, in a Python environment that is made here, pinned. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Quality } from '../../src/core/model.ts'
import { thresholdFor } from '../../training/alerts.ts'
import { calibrate, chooseCalibration } from '../../training/calibration.ts'
import type { Dataset } from '../../training/dataset.ts'
import { judge, scoredRows } from '../../training/evaluate.ts'
import type { Manifest, Slice } from '../../training/manifest.ts'

const PACKAGES = [
  'numpy==2.4.6',
  'scipy==1.17.1',
  'scikit-learn==1.9.1',
  'lightgbm==4.6.0',
  'xgboost-cpu==3.2.0',
  'catboost==1.2.10',
]
export const CACHE = join(import.meta.dirname, '../../.cache/quality')
export const PYTHON = join(CACHE, 'venv', 'bin', 'python')
/** Trees of each peer, unless it stops earlier on the validation rows. */
const TREES = 800

export const PEERS = ['lightgbm', 'xgboost', 'histgb', 'catboost', 'forest'] as const
export type Peer = (typeof PEERS)[number]

export interface PeerRun {
  readonly cpuSeconds: number
  readonly wallSeconds: number
  readonly peakBytes: number
  readonly trees: number
}

/** Makes the environment when it is not there as pinned. A text says why there is none. */
export function preparePeers(log: (text: string) => void): string | null {
  const stamp = join(CACHE, 'venv', 'packages.txt')
  const wanted = PACKAGES.join('\n')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return null
  mkdirSync(CACHE, { recursive: true })
  log(`making a Python environment in .cache/quality: ${PACKAGES.join(', ')}`)
  const made = spawnSync('python3', ['-m', 'venv', join(CACHE, 'venv')], { encoding: 'utf8' })
  if (made.status !== 0) return `python3 -m venv failed: ${made.error?.message ?? made.stderr}`
  const installed = spawnSync(PYTHON, ['-m', 'pip', 'install', '--quiet', ...PACKAGES], {
    encoding: 'utf8',
  })
  if (installed.status !== 0) return `pip failed: ${installed.stderr.trim().split('\n').at(-1)}`
  writeFileSync(stamp, wanted)
  return null
}

/** Trains one; a text says why it could not. @param trees a fixed count; absent: stop on validation. */
export function runPeer(peer: Peer, folder: string, trees?: number): PeerRun | string {
  const script = join(import.meta.dirname, 'peers.py')
  const early = trees === undefined ? '1' : '0'
  const run = spawnSync(PYTHON, [script, peer, folder, String(trees ?? TREES), early], {
    encoding: 'utf8',
  })
  if (run.status !== 0) return run.stderr.trim().split('\n').at(-1) ?? 'it ended without a word'
  return JSON.parse(run.stdout.trim().split('\n').at(-1) ?? '') as PeerRun
}

/** As ours: calibrated on the calibration rows, acting point from validation, judged on the test rows. */
export function judgePeer(
  peer: Peer,
  folder: string,
  data: Dataset,
  { horizonMs, alerts, training }: Manifest,
  intervalMs: number,
): Quality {
  const { labels, node } = data.slices.calibration.facts()
  const margins = scoresOf(peer, folder, 'calibration')
  const { calibration } = chooseCalibration(training.calibration, { margins, labels, node })
  const rowsOf = (slice: Slice) =>
    scoredRows(
      data.slices[slice].facts(),
      scoresOf(peer, folder, slice).map((margin) => calibrate(calibration, margin)),
      intervalMs,
      horizonMs,
    )
  const actingPoint = thresholdFor(rowsOf('validation'), alerts.acting)
  return judge(rowsOf('test'), actingPoint, alerts.budgets)
}

function scoresOf(peer: Peer, folder: string, slice: Slice): Float64Array {
  const bytes = readFileSync(join(folder, `${peer}.${slice}.f64`))
  return new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
}
