/** The peers of a model by folds: the same rows and folds, judged as our model is. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import type { NodeClass } from '../../src/core/node.ts'
import { exportRows } from '../../training/exported-rows.ts'
import type { Manifest } from '../../training/manifest.ts'
import { CACHE, PYTHON, type Peer } from './peers.ts'

/** Those that training/peers/folded.py knows. */
const FOLDED_PEERS: readonly Peer[] = ['lightgbm', 'xgboost', 'forest']

export interface FoldedPeerOptions {
  readonly manifest: Manifest
  readonly nodeClass: NodeClass
  readonly dataDir: string
  readonly module: WebAssembly.Module
  /** Names; those without a model by folds are passed over. */
  readonly peers: readonly string[]
}

/** Figures on the test nodes by peer; a text says why there are none. */
export async function judgeFoldedPeers(
  options: FoldedPeerOptions,
): Promise<Readonly<Record<string, unknown>> | string> {
  const { manifest, dataDir } = options
  const wanted = FOLDED_PEERS.filter((name) => options.peers.includes(name))
  if (wanted.length === 0) return {}
  const file = join(CACHE, `${manifest.name}.rows`)
  await exportRows({ ...options, file })
  const script = join(import.meta.dirname, '..', '..', 'training', 'peers', 'folded.py')
  const source = ['--data', dataDir, '--history', manifest.name, '--rows', file]
  const args = [script, ...source, '--peers', wanted.join(','), '--json']
  const run = spawnSync(PYTHON, args, { encoding: 'utf8', maxBuffer: 1 << 26 })
  if (run.status !== 0) return run.stderr.trim().split('\n').at(-1) ?? 'it ended without a word'
  const { peers } = JSON.parse(run.stdout) as {
    readonly peers: Readonly<Record<string, { readonly test: unknown }>>
  }
  return Object.fromEntries(Object.entries(peers).map(([name, { test }]) => [name, test]))
}
