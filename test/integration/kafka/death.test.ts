/**
 * Goal: neither a death between the records and the commit nor a zombie loses or repeats a record.
 * Method: copying in processes of their own, killed or frozen by signal while records flow in; the
 * copies are counted by a reader in this process.
 */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'

import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import type { Bus } from '../../../src/core/bus.ts'
import { toText } from '../../../src/core/bytes.ts'
import { kafkaBrokers, uniquePrefix } from '../../support/kafka.ts'

const PARTITIONS = 4
const brokers = await kafkaBrokers()
const children: ChildProcess[] = []

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

describe.skipIf(brokers === null)('a copier', () => {
  test('killed between records and commit loses and repeats nothing', async () => {
    const { bus, prefix, produce, copies } = await world('kill')
    await produce(40)
    for (const dieAt of [1, 3]) {
      const victim = copier(prefix, dieAt)
      await ended(victim)
      await produce(40)
    }
    copier(prefix, 0)
    await produce(40)
    expect(await copies()).toEqual(everyValue(160))
    await bus.close()
  })

  test('frozen and woken as a zombie loses and repeats nothing', async () => {
    const { bus, prefix, produce, copies } = await world('zombie')
    const zombie = copier(prefix, 0)
    await gained(zombie)
    await produce(40)
    zombie.kill('SIGSTOP')
    await produce(40)
    const heir = copier(prefix, 0)
    await gained(heir)
    await produce(40)
    zombie.kill('SIGCONT')
    await produce(40)
    expect(await copies()).toEqual(everyValue(160))
    await bus.close()
  })
})

async function world(name: string) {
  const prefix = uniquePrefix(name)
  const bus: Bus = await openKafkaBus({ brokers: brokers ?? [], clientId: 'test', prefix })
  const [input, out] = [`${prefix}in`, `${prefix}out`]
  await bus.create([
    { name: input, partitions: PARTITIONS, cleanup: 'delete' },
    { name: out, partitions: PARTITIONS, cleanup: 'delete' },
  ])
  let produced = 0
  const produce = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++, produced++) {
      const value = String(produced).padStart(4, '0')
      await bus.produce([{ topic: input, partition: produced % PARTITIONS, key: null, value }])
    }
  }
  /** Everything copied, once the group has committed all of the input. */
  const copies = async (): Promise<readonly string[]> => {
    const reader = await bus.read({ topic: out, from: 'start' })
    const done = async (): Promise<boolean> => {
      const next = await bus.committed(`${prefix}copiers`, input)
      return next.join() === (await bus.ends(input)).join()
    }
    const values: string[] = []
    const deadlineMs = performance.now() + 60_000
    for (let complete = false; !complete || values.length < produced;) {
      if (performance.now() > deadlineMs) throw new Error(`only ${values.length} copies came`)
      complete = await done()
      const records = await reader.take(100)
      values.push(...records.map(({ value }) => toText(value ?? new Uint8Array())))
    }
    values.push(...(await reader.take(500)).map(({ value }) => toText(value ?? new Uint8Array())))
    return values.sort()
  }
  return { bus, prefix, produce, copies }
}

function everyValue(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => String(i).padStart(4, '0'))
}

function copier(prefix: string, dieAt: number): ChildProcess {
  const words = ['--brokers', (brokers ?? []).join(), '--prefix', prefix, '--die-at', `${dieAt}`]
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', join(import.meta.dirname, 'copier.ts'), ...words],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  children.push(child)
  return child
}

/** Signals must reach the process that holds the partitions, so it must have some. */
async function gained(child: ChildProcess): Promise<void> {
  await new Promise((resolve) => child.stdout?.once('data', resolve))
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    await new Promise((resolve) => child.once('exit', resolve))
  }
}
