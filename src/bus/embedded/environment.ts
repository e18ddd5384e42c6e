/** The LMDB environment: two tables, and one write at a time that is on disk when it resolves. */
import type { Database, RootDatabase } from 'lmdb'
import { open } from 'lmdb'

import { ServiceError } from '../../core/errors.ts'

export interface Write {
  readonly table: 'records' | 'meta'
  readonly key: Buffer
  /** `null` removes the key. */
  readonly value: Buffer | null
}

export class Environment {
  readonly records: Database<Buffer, Uint8Array>
  readonly meta: Database<Buffer, Uint8Array>
  readonly #root: RootDatabase<Buffer, Uint8Array>
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
    // Without overlapping sync a commit resolves, and becomes visible, only when it is on disk.
    this.#root = open<Buffer, Uint8Array>({
      path: `${directory}/log.mdb`,
      overlappingSync: false,
      maxDbs: 4,
      cache: false,
    })
    const binary = { keyEncoding: 'binary', encoding: 'binary' } as const
    this.records = this.#root.openDB('records', binary)
    this.meta = this.#root.openDB('meta', binary)
  }

  /** All or nothing, synced. Throws STORE_FULL when the disk refuses; then nothing was written. */
  async write(writes: readonly Write[]): Promise<void> {
    // Each put answers with the promise of the transaction it is in; unheard, it would end the process.
    const promises = new Set<Promise<unknown>>()
    try {
      const batch = this.#root.batch(() => {
        for (const { table, key, value } of writes) {
          const target = table === 'records' ? this.records : this.meta
          promises.add(value === null ? target.remove(key) : target.put(key, value))
        }
      })
      promises.add(batch)
      for (const promise of promises) promise.catch(() => undefined)
      await batch
      this.#root.resetReadTxn()
    } catch (error) {
      const cause = await causeOf(error)
      throw new ServiceError(
        'STORE_FULL',
        `the store in ${this.#directory} could not be written (${cause}): ` +
          'free space on its disk or shorten the retention',
        { cause: error },
      )
    }
  }

  async close(): Promise<void> {
    await this.#root.close()
  }
}

/** LMDB gives the reason as a promise that rejects. */
async function causeOf(error: unknown): Promise<string> {
  const nested = (error as { readonly commitError?: unknown }).commitError
  try {
    await nested
    return String(error)
  } catch (reason) {
    return String(reason)
  }
}
