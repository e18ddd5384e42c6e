/** The LMDB environment: two tables, and one write at a time that is on disk when it resolves. */
import type { Database, RootDatabase } from 'lmdb'
import { open } from 'lmdb'

import { assert, ServiceError } from '../../core/errors.ts'

export interface Write {
  readonly table: 'records' | 'meta'
  readonly key: Buffer
  /** `null` removes the key. */
  readonly value: Buffer | null
}

/** LMDB's limit is 1,978 with pages of 4 KB. A longer key would leave half a batch queued. */
const KEY_BYTES_MAX = 1_900

export class Environment {
  readonly records: Database<Buffer, Uint8Array>
  readonly meta: Database<Buffer, Uint8Array>
  readonly #root: RootDatabase<Buffer, Uint8Array>
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
    // Without overlapping sync a commit resolves, and becomes visible, only when it is on disk.
    // One batch is one transaction; batching by event turn would add promises that nobody can catch.
    this.#root = open<Buffer, Uint8Array>({
      path: `${directory}/log.mdb`,
      overlappingSync: false,
      eventTurnBatching: false,
      maxDbs: 4,
      cache: false,
    })
    const binary = { keyEncoding: 'binary', encoding: 'binary' } as const
    this.records = this.#root.openDB('records', binary)
    this.meta = this.#root.openDB('meta', binary)
  }

  /** All or nothing, synced. Throws STORE_FULL when the disk refuses; then nothing was written. */
  async write(writes: readonly Write[]): Promise<void> {
    for (const { key } of writes) assert(key.length <= KEY_BYTES_MAX, 'a key too long for LMDB')
    try {
      await this.#root.batch(() => {
        for (const { table, key, value } of writes) {
          const target = table === 'records' ? this.records : this.meta
          // What they answer is settled with the batch; on their own they cannot fail.
          void (value === null ? target.remove(key) : target.put(key, value))
        }
      })
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
