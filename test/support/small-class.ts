/** The node class of the small history as a folder that the command line reads. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

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

/** Returns the folder. */
export function writeSmallClass(directory: string): string {
  const classes = join(directory, 'classes')
  mkdirSync(classes, { recursive: true })
  writeFileSync(join(classes, 'small-drive.toml'), CLASS)
  return classes
}
