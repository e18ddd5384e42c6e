/**
 * The bus without a broker: one directory, one process, LMDB underneath. What it acknowledges is on
 * disk, and a kill at any moment leaves outputs and offsets in agreement.
 *
 * Several clients of one store, in this process, are what several processes are to Kafka.
 */
import { resolve } from 'node:path'

import type { Bus } from '../../core/bus.ts'
import { LocalClient } from '../local/client.ts'
import { Groups } from '../local/group.ts'
import type { WaitClock } from '../local/log-store.ts'
import { Cleaner } from './cleaner.ts'
import { lockDirectory } from './directory-lock.ts'
import { EmbeddedStore } from './embedded-store.ts'
import { Environment } from './environment.ts'

export interface EmbeddedBusOptions {
  /** Made when it is missing. One process at a time. */
  readonly directory: string
  /** Named in claim records. */
  readonly owner?: string
  /** Kept bytes at most; above it writes are refused with STORE_FULL until retention made room. */
  readonly bytesMax?: number
  /** Stamps what is appended; the machine's clock when absent. */
  readonly logNowMs?: () => number
  /** Between two passes of retention and compaction. */
  readonly cleanEveryMs?: number
}

const BYTES_MAX = 64 * 1024 ** 3
const CLEAN_EVERY_MS = 30_000

const MACHINE_CLOCK: WaitClock = {
  nowMs: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  },
}

/** An open store. Clients end with it. */
export class EmbeddedBroker {
  readonly store: EmbeddedStore
  readonly #environment: Environment
  readonly #cleaner: Cleaner
  readonly #unlock: () => void
  readonly #timer: NodeJS.Timeout
  readonly #groups = new Groups()
  readonly #clients = new Set<LocalClient>()
  #clientCount = 0
  #closing: Promise<void> | undefined

  constructor(options: EmbeddedBusOptions) {
    const directory = resolve(options.directory)
    this.#unlock = lockDirectory(directory)
    this.#environment = new Environment(directory)
    this.store = new EmbeddedStore({
      environment: this.#environment,
      directory,
      bytesMax: options.bytesMax ?? BYTES_MAX,
      logNowMs: options.logNowMs ?? (() => Date.now()),
    })
    this.#cleaner = new Cleaner(this.store)
    const clean = (): void => void this.clean().catch(() => undefined)
    this.#timer = setInterval(clean, options.cleanEveryMs ?? CLEAN_EVERY_MS).unref()
  }

  /** A client of its own; its `close` leaves the store open for the others. */
  open(owner?: string): Bus {
    this.#clientCount += 1
    const client: LocalClient = new LocalClient({
      name: 'embedded',
      capabilities: new Set(),
      owner: owner ?? `embedded-${process.pid}-${this.#clientCount}`,
      store: this.store,
      groups: this.#groups,
      clock: MACHINE_CLOCK,
      onClosed: async () => void this.#clients.delete(client),
    })
    this.#clients.add(client)
    return client
  }

  /** A pass of retention and compaction now. Its failures are in the bus's health. */
  async clean(): Promise<void> {
    await this.#cleaner.clean()
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all([...this.#clients].map((client) => client.close()))
    await this.#cleaner.stop()
    await this.store.idle()
    await this.#environment.close()
    this.#unlock()
  }
}

/** Opens the store and one client of it; closing the client closes the store. */
export async function openEmbeddedBus(options: EmbeddedBusOptions): Promise<Bus> {
  const broker = new EmbeddedBroker(options)
  const client = broker.open(options.owner)
  const close = client.close.bind(client)
  return Object.assign(client, {
    close: async (): Promise<void> => {
      await close()
      await broker.close()
    },
  })
}
