/** The node class of the small history as a folder that the command line reads. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** As `SMALL_CLASS` of small-history.ts. */
const CLASS = `
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

/** Makes the folder and returns it. Another shortest half-life makes other features. */
export function writeSmallClass(folder: string, shortest = '7d'): string {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'small-drive.toml'), CLASS.replace('"7d",', `"${shortest}",`))
  return folder
}
