/** What `--history` and `--data` name: the manifest, its node class and the kernels that fold it. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { loadNodeClasses, nodeClassNamed } from '../config/node-classes.ts'
import type { NodeClass } from '../core/node.ts'
import { readManifest } from '../../training/manifest.ts'
import type { Manifest } from '../../training/manifest.ts'
import type { Arguments, OptionSpecs } from './command.ts'
import { loadKernel, packagedNodeClasses, packageRoot } from './package.ts'

export const HISTORY_OPTIONS = {
  history: {
    kind: 'text',
    value: 'FILE|NAME',
    summary: 'history manifest: a TOML file, or one that comes with the package',
  },
  data: { kind: 'text', value: 'DIR', summary: 'folder of the data that the manifest reads' },
  'node-classes': {
    kind: 'text',
    value: 'DIR',
    summary: 'folder of node classes',
    fallback: 'those of the package',
  },
} satisfies OptionSpecs

export interface HistorySource {
  readonly manifest: Manifest
  readonly nodeClass: NodeClass
  readonly dataDir: string
  readonly module: WebAssembly.Module
}

export async function historySource(args: Arguments): Promise<HistorySource> {
  const manifest = historyManifest(args)
  const dataDir = args.required('data')
  const classes = loadNodeClasses(args.text('node-classes') ?? packagedNodeClasses())
  const nodeClass = nodeClassNamed(classes, manifest.nodeClass)
  return { manifest, nodeClass, dataDir, module: await loadKernel() }
}

/** What `--history` names. */
export function historyManifest(args: Arguments): Manifest {
  return readManifest(manifestFile(args.required('history')))
}

/** A path wins over a name; what is neither is reported as the path it was given as. */
export function manifestFile(text: string): string {
  const packaged = join(packageRoot(), 'training', 'histories', `${text}.toml`)
  const isName = /^[\w-]+$/.test(text)
  return isName && !existsSync(text) && existsSync(packaged) ? packaged : text
}
