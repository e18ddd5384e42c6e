import { expect, test } from 'vitest'
import { runTopicsCheck, runTopicsCreate } from '../../../src/commands/topics.ts'
import type { Bus, TopicDescription, TopicSpec } from '../../../src/core/bus.ts'
import { topicSpecs } from '../../../src/core/topics.ts'
import { TOPOLOGY } from '../../support/console.ts'

/** Only what the topic commands use of a bus. */
class TopicBus {
  readonly topics = new Map<string, TopicDescription>()

  async create(specs: readonly TopicSpec[]): Promise<void> {
    for (const { name, partitions, cleanup } of specs) {
      this.topics.set(name, { name, partitions, cleanup, logAppendTime: true })
    }
  }

  async describe(names: readonly string[]): Promise<ReadonlyMap<string, TopicDescription>> {
    return new Map([...this.topics].filter(([name]) => names.includes(name)))
  }

  change(name: string, change: Partial<TopicDescription>): void {
    this.topics.set(name, { ...this.topics.get(name)!, ...change })
  }

  get asBus(): Bus {
    return this as unknown as Bus
  }
}

async function created(): Promise<TopicBus> {
  const bus = new TopicBus()
  await bus.create(topicSpecs(TOPOLOGY))
  return bus
}

test('a deployment as it was created has no findings', async () => {
  expect(await runTopicsCheck((await created()).asBus, TOPOLOGY)).toEqual([])
})

test('each missing topic is found', async () => {
  const found = await runTopicsCheck(new TopicBus().asBus, TOPOLOGY)
  expect(found).toHaveLength(topicSpecs(TOPOLOGY).length)
  expect(found[0]).toMatchObject({ problem: 'missing', mend: 'run foreshock topics create' })
})

test.each([
  {
    change: { partitions: 3 },
    problem: 'partitions',
    found: '3 partitions',
    because: 'partitions drifted',
  },
  {
    change: { logAppendTime: false },
    problem: 'append-time',
    found: "producers' time stamps",
    because: 'producers choose the time',
  },
  {
    change: { cleanup: 'compact' as const },
    problem: 'clean-up',
    found: 'cleanup.policy=compact',
    because: 'a log would be compacted away',
  },
])('a finding with its mend when $because', async ({ change, problem, found }) => {
  const bus = await created()
  bus.change('test.node-log', change)
  const findings = await runTopicsCheck(bus.asBus, TOPOLOGY)
  expect(findings).toHaveLength(1)
  expect(findings[0]).toMatchObject({ topic: 'test.node-log', problem, found })
  expect(findings[0].mend).not.toBe('')
})

test('create makes what is missing and leaves the rest alone', async () => {
  const bus = await created()
  bus.change('test.node-log', { partitions: 3 })
  bus.topics.delete('test.journal')
  expect(await runTopicsCreate(bus.asBus, TOPOLOGY)).toEqual({ created: ['test.journal'] })
  expect(bus.topics.get('test.node-log')?.partitions).toBe(3)
})
