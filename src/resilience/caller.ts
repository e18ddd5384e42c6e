/** The port through which what is outside of the bus is called; `Guard` is what stands behind it. */
import type { Priority } from '../core/guard.ts'

export interface Caller {
  /**
   * What `work` gives; it is called again after a failure that may pass. Its signal is aborted when time is
   * up. Rejects with what the last try said, or with CallRefused where none was made.
   */
  call<Value>(priority: Priority, work: (signal: AbortSignal) => Promise<Value>): Promise<Value>
}

export type CallerOf = (target: string) => Caller
