/**
 * Buses that break one promise each. A clause that a mutant survives proves nothing, so each clause
 * has at least one mutant that it must catch.
 */
import type {
  Bus,
  CommitOutcome,
  Lease,
  LogRecord,
  Offsets,
  Output,
  Reader,
} from '../../src/core/bus.ts'
import type { BusHarness } from './harness.ts'
import type { ClauseName } from './suite.ts'

export interface Mutant {
  readonly name: string
  readonly clause: ClauseName
  readonly mutate: (harness: BusHarness) => BusHarness
}

/** A copy of the object with some members replaced; the others keep their own `this`. */
function over<Target extends object>(target: Target, changes: Partial<Target>): Target {
  return new Proxy(target, {
    get(original, name) {
      if (name in changes) return Reflect.get(changes, name)
      const value: unknown = Reflect.get(original, name)
      return typeof value === 'function' ? (value.bind(original) as unknown) : value
    },
  })
}

function withBus(change: (bus: Bus) => Partial<Bus>): Mutant['mutate'] {
  return (harness) =>
    over(harness, {
      open: async () => {
        const bus = await harness.open()
        return over(bus, change(bus))
      },
    })
}

function withOutputs(change: (outputs: readonly Output[]) => readonly Output[]): Mutant['mutate'] {
  return withBus((bus) => ({ produce: async (outputs) => await bus.produce(change(outputs)) }))
}

type Records = readonly LogRecord[]

function withReader(change: (reader: Reader, bus: Bus) => Partial<Reader>): Mutant['mutate'] {
  return withBus((bus) => ({
    read: async (options) => {
      const reader = await bus.read(options)
      return over(reader, change(reader, bus))
    },
  }))
}

function withRead(change: (records: Records) => Records): Mutant['mutate'] {
  return withReader((reader) => ({ take: async (ms) => change(await reader.take(ms)) }))
}

function withLease(change: (lease: Lease, bus: Bus) => Partial<Lease>): Mutant['mutate'] {
  return withBus((bus) => ({
    join: async (options) =>
      await bus.join({
        ...options,
        onGained: (lease) => options.onGained(over(lease, change(lease, bus))),
      }),
  }))
}

function withCommit(
  change: (
    lease: Lease,
    bus: Bus,
    outputs: readonly Output[],
    next: Offsets,
  ) => Promise<CommitOutcome>,
): Mutant['mutate'] {
  return withLease((lease, bus) => ({
    commit: async (outputs, next) => await change(lease, bus, outputs, next),
  }))
}

/** Sends a transaction's records to the log at once, whatever becomes of it. */
const leakySend: Mutant['mutate'] = (harness) =>
  over(harness, {
    openTransaction: async () => {
      const transaction = await harness.openTransaction()
      const bus = await harness.open()
      return over(transaction, { send: async (outputs) => void (await bus.produce(outputs)) })
    },
  })

const keepFirstOfKey = withRead((records) =>
  records.filter((r, i) => records.findIndex((other) => keyOf(other) === keyOf(r)) === i),
)

/** Wrapped like the mutants and changed in nothing: what it fails would prove nothing of them. */
export const soundWrap: Mutant['mutate'] = (harness) =>
  withOutputs((outputs) => outputs)(
    withRead((records) => records)(
      withCommit(async (lease, _bus, outputs, next) => await lease.commit(outputs, next))(
        over(harness, {}),
      ),
    ),
  )

export const mutants: readonly Mutant[] = [
  {
    name: 'makes a missing topic on first use',
    clause: 'topics are created once and never by accident',
    mutate: withBus((bus) => ({
      produce: async (outputs) => {
        for (const { topic: name } of outputs) {
          await bus.create([{ name, partitions: 1, cleanup: 'delete' }])
        }
        return await bus.produce(outputs)
      },
    })),
  },
  {
    name: 'takes another partition count for the same topic',
    clause: 'topics are created once and never by accident',
    mutate: withBus((bus) => ({
      create: async (specs) => await bus.create(specs).catch(() => {}),
    })),
  },
  {
    name: 'produces the last record first',
    clause: 'a partition keeps its order',
    mutate: withOutputs((outputs) => outputs.toReversed()),
  },
  {
    name: 'reads each record twice',
    clause: 'a partition keeps its order',
    mutate: withRead((records) => records.flatMap((record) => [record, record])),
  },
  {
    name: 'chooses the partition itself',
    clause: 'a record lands in the partition it names',
    mutate: withOutputs((outputs) => outputs.map((output) => ({ ...output, partition: 0 }))),
  },
  {
    name: 'answers positions of other records',
    clause: 'a record lands in the partition it names',
    mutate: withBus((bus) => ({
      produce: async (outputs) =>
        (await bus.produce(outputs)).map((at) => ({ ...at, offset: at.offset + 1 })),
    })),
  },
  {
    name: 'treats keys as text',
    clause: 'keys, values and headers come back as sent',
    mutate: withRead((records) =>
      records.map((record) => ({
        ...record,
        key:
          record.key === null
            ? null
            : new TextEncoder().encode(new TextDecoder().decode(record.key)),
      })),
    ),
  },
  {
    name: 'makes null an empty value',
    clause: 'keys, values and headers come back as sent',
    mutate: withOutputs((outputs) => outputs.map((o) => ({ ...o, value: o.value ?? '' }))),
  },
  {
    name: 'drops headers',
    clause: 'keys, values and headers come back as sent',
    mutate: withRead((records) => records.map((record) => ({ ...record, headers: {} }))),
  },
  {
    name: 'ignores where a reader is to begin',
    clause: 'a reader replays from start, end, offset or time',
    mutate: withBus((bus) => ({ read: async (o) => await bus.read({ ...o, from: 'start' }) })),
  },
  {
    name: 'reads the time as the end',
    clause: 'a reader replays from start, end, offset or time',
    mutate: withBus((bus) => ({
      read: async (o) =>
        await bus.read(
          typeof o.from !== 'string' && 'timeMs' in o.from ? { ...o, from: 'end' } : o,
        ),
    })),
  },
  {
    name: 'starts a lease at the committed offset whatever is asked',
    clause: 'a lease replays from the offset it is given',
    mutate: withLease((lease) => ({ start: () => lease.start(lease.committed) })),
  },
  {
    name: "stamps records with the producer's clock",
    clause: 'log time never goes back',
    mutate: withRead((records) =>
      records.map((record, i) => ({ ...record, appendedAtMs: record.appendedAtMs - i * 100 })),
    ),
  },
  {
    name: 'keeps the first value of a key',
    clause: 'compaction keeps the last value of each key',
    mutate: (harness) => over(keepFirstOfKey(harness), { compact: async () => {} }),
  },
  {
    name: 'renumbers what compaction left',
    clause: 'compaction keeps the last value of each key',
    mutate: withRead((records) => records.map((record, i) => ({ ...record, offset: i }))),
  },
  {
    name: 'never drops anything',
    clause: 'retention drops the oldest and nothing else',
    mutate: (harness) => over(harness, { expire: async () => {} }),
  },
  {
    name: 'drops the whole partition',
    clause: 'retention drops the oldest and nothing else',
    mutate: withRead((records) => records.filter((record) => record.offset === 0)),
  },
  {
    name: 'loses the offsets of a commit',
    clause: 'a join and a leave lose and repeat nothing',
    mutate: withCommit(async (lease, _bus, outputs) => await lease.commit(outputs, {})),
  },
  {
    name: 'skips one record at each hand-over',
    clause: 'a join and a leave lose and repeat nothing',
    mutate: withLease((lease) => ({
      start: (from) =>
        lease.start(Object.fromEntries(Object.entries(from).map(([t, o]) => [t, o + 1]))),
    })),
  },
  {
    name: 'never gives a partition up',
    clause: 'a join and a leave lose and repeat nothing',
    mutate: withBus((bus) => ({
      join: async (options) => over(await bus.join(options), { leave: async () => {} }),
    })),
  },
  {
    name: 'claims without a record',
    clause: 'claims are recorded and epochs rise',
    mutate: withBus((bus) => ({ join: async (o) => await bus.join({ ...o, claimTopic: null }) })),
  },
  {
    name: 'counts epochs of its own',
    clause: 'claims are recorded and epochs rise',
    mutate: withLease((lease) => ({ epoch: lease.epoch + 1 })),
  },
  {
    name: 'joins only the first topic',
    clause: 'the same number of each topic is one lease',
    mutate: withBus((bus) => ({
      join: async (o) => await bus.join({ ...o, topics: o.topics.slice(0, 1) }),
    })),
  },
  {
    name: 'says that it is never behind',
    clause: 'a lost lease falls silent',
    mutate: withLease(() => ({ behind: async () => 0 })),
  },
  {
    name: 'still commits for a lease that was lost',
    clause: 'a lost lease falls silent',
    mutate: withCommit(async (lease, bus, outputs, next) => {
      if (!lease.lost) return await lease.commit(outputs, next)
      await bus.produce(outputs)
      return 'committed'
    }),
  },
  {
    name: 'buffers without a bound',
    clause: 'what is not taken is bounded',
    mutate: withBus((bus) => ({
      join: async (o) => await bus.join({ ...o, bufferBytesMax: 1e9 }),
    })),
  },
  {
    name: 'drops the oldest when the buffer is full',
    clause: 'what is not taken is bounded',
    mutate: withLease((lease) => ({ take: async (ms) => (await lease.take(ms)).slice(1) })),
  },
  {
    name: 'acknowledges before it writes',
    clause: 'closing under load loses nothing acknowledged',
    mutate: withBus((bus) => ({
      produce: async (outputs) => {
        void bus.produce(outputs.filter((output) => Number(output.value) % 7 !== 3)).catch(() => {})
        return outputs.map((output) => ({ ...output, offset: 0 }))
      },
    })),
  },
  {
    name: 'takes no notice of a close',
    clause: 'closing under load loses nothing acknowledged',
    mutate: withBus(() => ({ close: async () => {} })),
  },
  {
    name: 'writes outputs and forgets the offsets',
    clause: 'outputs and offsets commit together',
    mutate: withCommit(async (lease, _bus, outputs) => await lease.commit(outputs, {})),
  },
  {
    name: 'stores the offsets and drops an output',
    clause: 'outputs and offsets commit together',
    mutate: withCommit(async (lease, _bus, outputs, next) => {
      return await lease.commit(outputs.slice(1), next)
    }),
  },
  {
    name: 'leaves the outputs of an aborted commit behind',
    clause: 'an aborted commit leaves nothing and may be tried again',
    mutate: withCommit(async (lease, bus, outputs, next) => {
      const outcome = await lease.commit(outputs, next)
      if (outcome === 'aborted') await bus.produce(outputs)
      return outcome
    }),
  },
  {
    name: 'loses the lease with an aborted commit',
    clause: 'an aborted commit leaves nothing and may be tried again',
    mutate: withCommit(async (lease, _bus, outputs, next) => {
      const outcome = await lease.commit(outputs, next)
      if (outcome === 'aborted') lease.release()
      return outcome
    }),
  },
  {
    name: 'tries an unknown commit again by itself',
    clause: 'an unknown commit is resolved by the next lease',
    mutate: withCommit(async (lease, bus, outputs, next) => {
      const outcome = await lease.commit(outputs, next)
      if (outcome === 'unknown') await bus.produce(outputs)
      return outcome
    }),
  },
  {
    name: 'takes an unknown commit for a committed one',
    clause: 'an unknown commit is resolved by the next lease',
    mutate: withCommit(async (lease, _bus, outputs, next) => {
      const outcome = await lease.commit(outputs, next)
      return outcome === 'unknown' ? 'committed' : outcome
    }),
  },
  {
    name: 'fences nobody',
    clause: 'a zombie that wakes up is fenced and harmless',
    mutate: (harness) => over(harness, { seize: async () => {} }),
  },
  {
    name: 'writes for a zombie before it notices the fence',
    clause: 'a zombie that wakes up is fenced and harmless',
    mutate: withCommit(async (lease, bus, outputs, next) => {
      const outcome = await lease.commit(outputs, next)
      if (outcome === 'fenced') await bus.produce(outputs)
      return outcome
    }),
  },
  {
    name: 'never says that it is paused',
    clause: 'a full buffer is paused, and says so',
    mutate: withLease((lease) => ({ buffer: () => ({ ...lease.buffer(), paused: false }) })),
  },
  {
    name: 'says how full it was, not how full it is',
    clause: 'a full buffer is paused, and says so',
    mutate: withLease((lease) => {
      let bytes = 0
      return {
        buffer: () => ({
          ...lease.buffer(),
          bytes: (bytes = Math.max(bytes, lease.buffer().bytes)),
        }),
      }
    }),
  },
  {
    name: 'never reaches the end',
    clause: 'a reader knows when it has reached an end',
    mutate: withReader(() => ({ reached: () => false })),
  },
  {
    name: 'is at the end before it has taken what is there',
    clause: 'a reader knows when it has reached an end',
    mutate: withReader(() => ({ reached: () => true })),
  },
  { name: 'reads the uncommitted', clause: 'only what was committed is read', mutate: leakySend },
  {
    name: 'drops what a transaction committed',
    clause: 'only what was committed is read',
    mutate: (harness) =>
      over(harness, {
        openTransaction: async () => {
          const transaction = await harness.openTransaction()
          return over(transaction, { commit: async () => await transaction.abort() })
        },
      }),
  },
  {
    name: 'lets aborted records out',
    clause: 'overlapping aborted transactions stay unseen',
    mutate: leakySend,
  },
  {
    name: 'counts what nobody will ever see as waiting',
    clause: 'overlapping aborted transactions stay unseen',
    mutate: withLease((lease) => ({ behind: async () => (await lease.behind()) + 3 })),
  },
]

function keyOf(record: LogRecord): string {
  return new TextDecoder().decode(record.key ?? undefined)
}
