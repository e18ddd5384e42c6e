/** A directory with one node class, a history of it and a manifest: enough to train and to serve. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeSmallClass } from './small-class.ts'
import { SMALL_MANIFEST, writeSmallHistory } from './small-history.ts'

export interface SmallDeployment {
  readonly directory: string
  readonly history: string
  readonly nodeClasses: string
  readonly data: string
  /** The same class with another half-life, so with other features. */
  readonly changedClasses: string
  remove(): void
}

export function createSmallDeployment(): SmallDeployment {
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-small-'))
  const nodeClasses = writeSmallClass(join(directory, 'node-classes'))
  const changedClasses = writeSmallClass(join(directory, 'changed-classes'), '8d')
  const history = join(directory, 'small.toml')
  writeFileSync(history, SMALL_MANIFEST)
  const data = writeSmallHistory()
  const remove = () => {
    rmSync(directory, { recursive: true, force: true })
    rmSync(data, { recursive: true, force: true })
  }
  return { directory, history, nodeClasses, data, changedClasses, remove }
}
