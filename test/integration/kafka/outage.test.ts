/**
 * Goal: an outage of the broker loses and repeats nothing, and health tells of it.
 * Method: a broker of its own, stopped under load and started again, with a copying lease, a reader
 * and a producer that never hear of it except as a delay.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import type { Lease, LogRecord } from '../../../src/core/bus.ts'
import { toText } from '../../../src/core/bytes.ts'
import { kafkaBrokers, uniquePrefix } from '../../support/kafka.ts'

const PORT = 19_392
const SCRIPT = join(import.meta.dirname, '../../../scripts/kafka.mjs')
const shared = await kafkaBrokers()
const own = shared !== null && !process.env['FORESHOCK_TEST_BROKERS']

describe.skipIf(!own)('an outage of the broker', () => {
  test('is waited out, told in health, and loses and repeats nothing', async () => {
    await broker('up', '--fresh')
    const prefix = uniquePrefix('outage')
    const bus = await openKafkaBus({ brokers: [`127.0.0.1:${PORT}`], clientId: 'outage', prefix })
    try {
      const [input, out] = [`${prefix}in`, `${prefix}out`]
      await bus.create([
        { name: input, partitions: 1, cleanup: 'delete' },
        { name: out, partitions: 1, cleanup: 'delete' },
      ])
      await bus.join({
        group: `${prefix}group`,
        role: 'copier',
        topics: [input],
        claimTopic: null,
        onGained: (lease) => void copy(lease, out),
      })
      const reader = await bus.read({ topic: out, from: 'start' })
      const seen: LogRecord[] = []
      const acked: string[] = []
      const produce = async (count: number): Promise<void> => {
        for (let i = 0; i < count; i++) {
          const value = String(acked.length)
          await bus.produce([{ topic: input, partition: 0, key: null, value }])
          acked.push(value)
        }
      }
      const copied = async (): Promise<boolean> => {
        seen.push(...(await reader.take(100)))
        return seen.length >= acked.length
      }
      await produce(50)
      await until(copied)

      await broker('down')
      await until(() => !bus.health().connected)
      const during = produce(50)
      await sleep(100)
      expect(acked).toHaveLength(50)
      await broker('up')
      await during
      await until(copied)
      await until(() => bus.health().connected)
      expect(bus.health().reconnectCount).toBeGreaterThanOrEqual(1)
      await produce(10)
      await until(copied)
      const values = seen.map(({ value }) => toText(value ?? new Uint8Array()))
      expect(values).toEqual(acked)
    } finally {
      await bus.close()
      await broker('down', '--fresh')
    }
  })
})

async function copy(lease: Lease, out: string): Promise<void> {
  lease.start(lease.committed)
  while (!lease.lost) {
    const records = await lease.take(200)
    const last = records.at(-1)
    if (last === undefined) continue
    const outputs = records.map(({ value }) => ({ topic: out, partition: 0, key: null, value }))
    let outcome = await lease.commit(outputs, { [last.topic]: last.offset + 1 })
    while (outcome === 'aborted') {
      outcome = await lease.commit(outputs, { [last.topic]: last.offset + 1 })
    }
  }
}

/** Not awaited in one piece with our own work: the clients must live through the outage. */
async function broker(...words: readonly string[]): Promise<void> {
  await promisify(execFile)(process.execPath, [SCRIPT, ...words, '--port', `${PORT}`])
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 60_000
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error('gave up waiting')
    await sleep(20)
  }
}
