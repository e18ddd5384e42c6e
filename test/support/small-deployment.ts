/** A directory with one node class, a history of it and a manifest: enough to train and to serve. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SMALL_MANIFEST, writeSmallHistory } from './small-history.ts'

/** As `SMALL_CLASS` of small-history.ts. */
const CLASS_TOML = `
name = "small-drive"
half_lives = ["7d", "30d", "90d"]
heartbeat_interval = "off"
detection_window = "30s"
prediction_interval = "7d"
grid_origin = "first-sample"
[[metrics]]
name = "pending"
unit = "1"
kind = "gauge"
min = 0
[[metrics]]
name = "noise"
unit = "1"
kind = "gauge"
min = 0
[[attributes]]
name = "maker"
label = "maker"
kind = "category"
values = ["a", "b"]
`

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
  const nodeClasses = join(directory, 'node-classes')
  const changedClasses = join(directory, 'changed-classes')
  const history = join(directory, 'small.toml')
  for (const folder of [nodeClasses, changedClasses]) mkdirSync(folder)
  writeFileSync(join(nodeClasses, 'small-drive.toml'), CLASS_TOML)
  writeFileSync(join(changedClasses, 'small-drive.toml'), CLASS_TOML.replace('"7d",', '"8d",'))
  writeFileSync(history, SMALL_MANIFEST)
  const data = writeSmallHistory()
  const remove = () => {
    rmSync(directory, { recursive: true, force: true })
    rmSync(data, { recursive: true, force: true })
  }
  return { directory, history, nodeClasses, data, changedClasses, remove }
}
