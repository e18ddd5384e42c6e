/**
 * Watches offsets, not heartbeats: a consumer can heartbeat for ever and fetch nothing. A lease is
 * stuck when records wait for it and neither fetching, taking nor committing has moved for
 * `limitMs`. If nothing was even fetched, the consumer is at fault and is begun anew; if records
 * lie untaken, the fold is, which only its owner can mend (`Lease.release`).
 */

const CHECKS_PER_LIMIT = 4

/** What it sees of a lease. */
export interface Watched {
  /** Changes whenever something was fetched, taken or committed. */
  readonly progress: number
  readonly started: boolean
  /** Records fetched and not yet taken. */
  readonly untaken: number
  behind(): Promise<number>
}

export interface WatchdogOptions {
  readonly limitMs: number
  readonly leases: () => readonly Watched[]
  /** Begins the consumer anew. */
  readonly restart: (because: Error) => void
}

interface Seen {
  readonly progress: number
  readonly atMs: number
}

export class Watchdog {
  #seen = new Map<Watched, Seen>()
  #stuckCount = 0
  #checking = false
  readonly #options: WatchdogOptions
  readonly #timer: NodeJS.Timeout

  constructor(options: WatchdogOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.#check(), options.limitMs / CHECKS_PER_LIMIT)
    this.#timer.unref()
  }

  get stuckCount(): number {
    return this.#stuckCount
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#stuckCount = 0
  }

  async #check(): Promise<void> {
    if (this.#checking) return
    this.#checking = true
    const { leases, limitMs, restart } = this.#options
    const nowMs = performance.now()
    const seen = new Map<Watched, Seen>()
    const stuck: Watched[] = []
    for (const lease of leases()) {
      const before = this.#seen.get(lease)
      const still = before !== undefined && before.progress === lease.progress
      const last = still ? before : { progress: lease.progress, atMs: nowMs }
      seen.set(lease, last)
      if (nowMs - last.atMs >= limitMs && (await waits(lease))) stuck.push(lease)
    }
    this.#seen = seen
    this.#stuckCount = stuck.length
    if (stuck.some((lease) => lease.untaken === 0 && lease.started)) {
      restart(new Error(`no offset moved for ${limitMs} ms although records wait`))
    }
    this.#checking = false
  }
}

/** Unanswered means unknown: an outage is told elsewhere and is no fault of the consumer. */
async function waits(lease: Watched): Promise<boolean> {
  return (await lease.behind().catch(() => 0)) > 0
}
