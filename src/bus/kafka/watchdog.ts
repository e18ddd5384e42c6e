/**
 * Watches offsets, not heartbeats: a consumer can heartbeat for ever and fetch nothing. A lease is
 * stuck when records wait for it and neither fetching, taking nor committing has moved for
 * `watchdogMs`. If nothing was even fetched, the consumer is at fault and is begun anew; if records
 * lie untaken, the fold is, which only its owner can mend (`Lease.release`).
 */
import type { KafkaBusOptions } from './client.ts'
import { WATCHDOG_MS } from './client.ts'
import type { Feed } from './feed.ts'
import type { KafkaLease } from './lease.ts'

const CHECKS_PER_LIMIT = 4

interface Seen {
  readonly progress: number
  readonly atMs: number
}

export class Watchdog {
  #seen = new Map<KafkaLease, Seen>()
  #stuckCount = 0
  #checking = false
  readonly #limitMs: number
  readonly #timer: NodeJS.Timeout
  readonly #feed: Feed
  readonly #leases: () => readonly KafkaLease[]

  constructor(bus: KafkaBusOptions, feed: Feed, leases: () => readonly KafkaLease[]) {
    this.#limitMs = bus.watchdogMs ?? WATCHDOG_MS
    this.#feed = feed
    this.#leases = leases
    this.#timer = setInterval(() => void this.#check(), this.#limitMs / CHECKS_PER_LIMIT)
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
    const nowMs = performance.now()
    const seen = new Map<KafkaLease, Seen>()
    const stuck: KafkaLease[] = []
    for (const lease of this.#leases()) {
      const before = this.#seen.get(lease)
      const still = before !== undefined && before.progress === lease.progress
      const last = still ? before : { progress: lease.progress, atMs: nowMs }
      seen.set(lease, last)
      if (nowMs - last.atMs >= this.#limitMs && (await waits(lease))) stuck.push(lease)
    }
    this.#seen = seen
    this.#stuckCount = stuck.length
    if (stuck.some((lease) => lease.untaken === 0 && lease.started)) {
      this.#feed.restart(new Error(`no offset moved for ${this.#limitMs} ms although records wait`))
    }
    this.#checking = false
  }
}

/** Unanswered means unknown: an outage is told elsewhere and is no fault of the consumer. */
async function waits(lease: KafkaLease): Promise<boolean> {
  return (await lease.behind().catch(() => 0)) > 0
}
