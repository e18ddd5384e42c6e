/** Repair times of a real cluster, where its trace is at hand. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

const DAY_HOURS = 24

/**
 * Hours of repair of gpu_fault_trace in the data directory, in order; null where it is not there. Starts
 * and ends are paired by node and fault class, since faults of one node overlap.
 */
export function measuredRepairHours(dataDirectory: string | undefined): readonly number[] | null {
  if (dataDirectory === undefined) return null
  const file = join(dataDirectory, 'gpu_fault_trace', 'fault_events.csv.gz')
  if (!existsSync(file)) return null
  const [head, ...lines] = gunzipSync(readFileSync(file)).toString('utf8').trim().split('\n')
  const names = head.split(',')
  const at = (name: string) => names.indexOf(name)
  const starts = new Map<string, number>()
  const hours: number[] = []
  for (const line of lines) {
    const cells = line.split(',')
    const key = `${cells[at('node_id')]}/${cells[at('fault_class')]}`
    const days = Number(cells[at('event_time_days')])
    const began = starts.get(key)
    if (cells[at('event_type')] === 'fault_start') starts.set(key, days)
    else if (began !== undefined) {
      hours.push((days - began) * DAY_HOURS)
      starts.delete(key)
    }
  }
  return hours.sort((a, b) => a - b)
}
