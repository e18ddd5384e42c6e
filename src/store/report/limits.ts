/** How much a report holds at once: it counts in memory, and says so where there is too much. */
import { checkHeld } from '../held.ts'

export const NODES_MAX = 1_000_000
export const LIFE_EVENTS_MAX = 2_000_000
export const COMMANDS_MAX = 1_000_000
export const INCIDENTS_MAX = 500_000
export const ALARMS_MAX = 1_000_000
export const WORKLOADS_MAX = 1_000_000
/** Times that a workload went from one node to another. */
export const STAYS_MAX = 2_000_000

/** ServiceError INPUT_INVALID where one more does not fit. */
export function checkRoom(held: number, max: number, what: string): void {
  checkHeld(held, max, { command: 'report', what, mend: 'ask for fewer --days, or for one --pool' })
}
