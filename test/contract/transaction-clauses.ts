/** What a bus promises about transactions: all or nothing, four outcomes, nothing half done is seen. */
import { expect } from 'vitest'

import type { Bus } from '../../src/core/bus.ts'
import type { BusHarness } from './harness.ts'
import type { Clause } from './log-clauses.ts'
import type { Joined } from './reading.ts'
import {
  createTopic,
  joinGroup,
  numbered,
  output,
  readAll,
  takeCount,
  text,
  until,
} from './reading.ts'

interface Copying extends Joined {
  readonly bus: Bus
  readonly input: string
  readonly other: string
  readonly out: string
  readonly group: string
}

/** A client that owns partition 0 of two input topics, with ten records in the first. */
async function copying(harness: BusHarness): Promise<Copying> {
  const bus = await harness.open()
  const input = await createTopic(bus, `${harness.prefix}in`, 1)
  const other = await createTopic(bus, `${harness.prefix}other-in`, 1)
  const out = await createTopic(bus, `${harness.prefix}out`, 3)
  await bus.produce([...numbered(input, 0, 10), ...numbered(other, 0, 2, 100)])
  const group = `${harness.prefix}copiers`
  const joined = await joinGroup(harness, bus, {
    group,
    role: `${harness.prefix}copier`,
    topics: [input, other],
    claimTopic: null,
  })
  return { ...joined, bus, input, other, out, group }
}

export const outputsAndOffsetsCommitTogether: Clause = async (harness) => {
  const { bus, input, other, out, group, gained } = await copying(harness)
  const second = await createTopic(bus, `${harness.prefix}out-2`, 1)
  const lease = await gained()
  lease.start(lease.committed)
  await takeCount(harness, bus, lease, 12)
  const outputs = [output(out, 0, 'a'), output(out, 2, 'b'), output(second, 0, 'c')]
  expect(await lease.commit(outputs, { [input]: 7, [other]: 2 })).toBe('committed')
  expect((await readAll(harness, bus, out, 3)).map(text).sort()).toEqual(['a', 'b'])
  expect((await readAll(harness, bus, second, 1)).map(text)).toEqual(['c'])
  expect(await bus.committed(group, input)).toEqual([7])
  expect(await bus.committed(group, other)).toEqual([2])
  expect(await bus.committed(`${group}-nobody`, input)).toEqual([0])

  lease.release()
  const again = await gained()
  expect(again.committed).toEqual({ [input]: 7, [other]: 2 })
  again.start(again.committed)
  expect((await takeCount(harness, bus, again, 3)).map(text)).toEqual(['7', '8', '9'])
}

export const abortedCommitLeavesNothing: Clause = async (harness) => {
  const { bus, input, out, group, gained } = await copying(harness)
  const lease = await gained()
  lease.start(lease.committed)
  await takeCount(harness, bus, lease, 12)
  harness.failNextCommit?.({ outcome: 'aborted', written: false })
  const expected = harness.failNextCommit === undefined ? 'committed' : 'aborted'
  const outcome = await lease.commit([output(out, 0, 'once')], { [input]: 10 })
  expect(outcome).toBe(expected)
  if (outcome === 'aborted') {
    expect(lease.lost).toBe(false)
    expect(await readAll(harness, bus, out, 3)).toEqual([])
    expect(await bus.committed(group, input)).toEqual([0])
    expect(await lease.commit([output(out, 0, 'once')], { [input]: 10 })).toBe('committed')
  }
  expect((await readAll(harness, bus, out, 3)).map(text)).toEqual(['once'])
  expect(await bus.committed(group, input)).toEqual([10])
}

/** The new lease's `committed` tells whether an unknown commit was written, and it tells the truth. */
export const unknownCommitIsResolved: Clause = async (harness) => {
  if (harness.failNextCommit === undefined) return
  const { bus, input, out, gained } = await copying(harness)
  let expected: string[] = []
  for (const written of [true, false]) {
    const lease = await gained()
    lease.start(lease.committed)
    const before = lease.committed[input]
    harness.failNextCommit({ outcome: 'unknown', written })
    const mark = `${before}-${written}`
    expect(await lease.commit([output(out, 1, mark)], { [input]: before + 3 })).toBe('unknown')
    expect(lease.lost).toBe(true)
    if (written) expected = [...expected, mark]
    expect((await readAll(harness, bus, out, 3)).map(text)).toEqual(expected)
    expect((await bus.committed(`${harness.prefix}copiers`, input))[0]).toBe(3)
  }
  const last = await gained()
  expect(last.committed[input]).toBe(3)
  expect(await last.commit([output(out, 1, 'last')], { [input]: 5 })).toBe('committed')
}

export const zombieIsFencedAndHarmless: Clause = async (harness) => {
  const { bus, input, other, out, group, gained } = await copying(harness)
  const zombie = await gained()
  zombie.start(zombie.committed)
  await takeCount(harness, bus, zombie, 12)
  expect(await zombie.commit([output(out, 0, 'mine')], { [input]: 4 })).toBe('committed')
  await harness.seize({
    group,
    role: `${harness.prefix}copier`,
    topics: [input, other],
    claimTopic: null,
    partition: 0,
  })
  expect(await zombie.commit([output(out, 0, 'too late')], { [input]: 9 })).toBe('fenced')
  expect(zombie.lost).toBe(true)
  expect(await zombie.take(1_000)).toEqual([])
  expect(await zombie.commit([output(out, 0, 'still')], { [input]: 9 })).toBe('fenced')

  const heir = await gained()
  expect(heir.committed[input]).toBe(4)
  expect((await readAll(harness, bus, out, 3)).map(text)).toEqual(['mine'])
  expect(await bus.committed(group, input)).toEqual([4])
  expect(await heir.commit([output(out, 0, 'heir')], { [input]: 5 })).toBe('committed')
}

export const onlyCommittedIsRead: Clause = async (harness) => {
  const bus = await harness.open()
  const topic = await createTopic(bus, `${harness.prefix}isolated`, 2)
  const reader = await bus.read({ topic, from: 'start' })
  const kept = await harness.openTransaction()
  await kept.send([output(topic, 0, 'kept-0'), output(topic, 1, 'kept-1')])
  expect(await bus.ends(topic)).toEqual([0, 0])
  expect(await reader.take(200)).toEqual([])
  await kept.commit()
  const first = await takeCount(harness, bus, reader, 2)
  expect(first.map(text).sort()).toEqual(['kept-0', 'kept-1'])

  const dropped = await harness.openTransaction()
  await dropped.send([output(topic, 0, 'dropped')])
  await bus.produce([output(topic, 1, 'beside')])
  expect((await takeCount(harness, bus, reader, 1)).map(text)).toEqual(['beside'])
  await dropped.abort()
  const all = (await readAll(harness, bus, topic, 2)).map(text)
  expect(all.sort()).toEqual(['beside', 'kept-0', 'kept-1'])
  await reader.close()
}

/** The last record of a log may be the end of a transaction, or what nobody is to see. */
export const readerReachesTheEnd: Clause = async (harness) => {
  const bus = await harness.open()
  const topic = await createTopic(bus, `${harness.prefix}reached`, 2)
  const [kept, dropped] = [await harness.openTransaction(), await harness.openTransaction()]
  await kept.send([output(topic, 0, 'kept')])
  await kept.commit()
  await dropped.send([output(topic, 1, 'dropped')])
  await dropped.abort()
  const ends = await bus.ends(topic)
  const reader = await bus.read({ topic, from: 'start' })
  expect(reader.reached(ends), 'a record is not taken').toBe(false)
  expect((await takeCount(harness, bus, reader, 1)).map(text)).toEqual(['kept'])
  const isThere = async (): Promise<boolean> => {
    expect(await reader.take(50)).toEqual([])
    return reader.reached(ends)
  }
  await until(harness, bus, isThere, 'a reader never reaches what holds nothing to take')
  await bus.produce([output(topic, 1, 'more')])
  expect(reader.reached(await bus.ends(topic)), 'another record is not taken').toBe(false)
  await reader.close()
}

/** A opens first and aborts last: a client that trusts the order of the aborts lets A's records out. */
export const overlappingAbortsStayUnseen: Clause = async (harness) => {
  const bus = await harness.open()
  const topic = await createTopic(bus, `${harness.prefix}overlap`, 1)
  const [a, b] = [await harness.openTransaction(), await harness.openTransaction()]
  await a.send([output(topic, 0, 'a-1')])
  await b.send([output(topic, 0, 'b-1')])
  await a.send([output(topic, 0, 'a-2')])
  await b.abort()
  await a.abort()
  await bus.produce([output(topic, 0, 'kept')])
  expect((await readAll(harness, bus, topic, 1)).map(text)).toEqual(['kept'])

  const joined = await joinGroup(harness, bus, {
    group: `${harness.prefix}overlappers`,
    role: `${harness.prefix}overlapper`,
    topics: [topic],
    claimTopic: null,
  })
  const lease = await joined.gained()
  lease.start(lease.committed)
  const [first] = await takeCount(harness, bus, lease, 1)
  expect(text(first)).toBe('kept')
  await until(
    harness,
    bus,
    async () => {
      await lease.take(50)
      return (await lease.behind()) === 0
    },
    'a lease behind only by control records never catches up',
  )
}
