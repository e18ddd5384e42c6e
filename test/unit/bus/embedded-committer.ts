/** Child process: copies its input to its output in transactions until it is killed. */
import type { Lease } from '../../../src/core/bus.ts'
import { openEmbeddedBus } from '../../../src/bus/embedded/embedded-bus.ts'

const bus = await openEmbeddedBus({ directory: process.argv[2] })
await bus.create([
  { name: 'in', partitions: 2, cleanup: 'delete' },
  { name: 'out', partitions: 2, cleanup: 'delete' },
])

async function copy(lease: Lease): Promise<void> {
  lease.start(lease.committed)
  while (!lease.lost) {
    const records = await lease.take(1_000)
    if (records.length === 0) continue
    const outputs = records.map((r) => ({
      topic: 'out',
      partition: r.partition,
      key: null,
      value: r.value,
    }))
    await lease.commit(outputs, { in: records.at(-1)!.offset + 1 })
  }
}

await bus.join({
  group: 'copiers',
  role: 'copier',
  topics: ['in'],
  claimTopic: null,
  onGained: (lease) => void copy(lease),
})
for (let i = (await bus.ends('in'))[0]; ; i++) {
  const outputs = [0, 1].map((partition) => ({
    topic: 'in',
    partition,
    key: null,
    value: String(i),
  }))
  await bus.produce(outputs)
  // The parent counts what was acknowledged.
  process.stdout.write(`${i}\n`)
}
