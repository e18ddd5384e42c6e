/** The peers of a model by folds: the same rows and folds, judged as our model is. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import type { NodeClass } from '../../src/core/node.ts'
import { exportRows } from '../../training/exported-rows.ts'
import type { Manifest } from '../../training/manifest.ts'
import { CACHE, PYTHON } from './peers.ts'

export interface FoldedPeerOptions {
  readonly manifest: Manifest
  readonly nodeClass: NodeClass
  readonly dataDir: string
  readonly module: WebAssembly.Module
}

/** Figures on the test nodes by peer; a text says why there are none. */
export async function judgeFoldedPeers(
  options: FoldedPeerOptions,
): Promise<Readonly<Record<string, unknown>> | string> {
  const { manifest, dataDir } = options
  const file = join(CACHE, `${manifest.name}.rows`)
  await exportRows({ ...options, file })
  const script = join(import.meta.dirname, '..', '..', 'training', 'peers', 'folded.py')
  const args = [script, '--data', dataDir, '--history', manifest.name, '--rows', file, '--json']
  const run = spawnSync(PYTHON, args, { encoding: 'utf8', maxBuffer: 1 << 26 })
  if (run.status !== 0) return run.stderr.trim().split('\n').at(-1) ?? 'it ended without a word'
  const { peers } = JSON.parse(run.stdout) as {
    readonly peers: Readonly<Record<string, { readonly test: unknown }>>
  }
  return Object.fromEntries(Object.entries(peers).map(([name, { test }]) => [name, test]))
}
