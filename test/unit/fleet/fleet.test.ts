import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { NodeId } from '../../../src/core/ids.ts'
import { partitionOf } from '../../../src/core/partition.ts'
import { METRICS } from '../../../src/fleet/signals.ts'
import {
  bodies,
  FleetWorld,
  movable,
  published,
  START_MS,
  TOPOLOGY,
} from '../../support/fleet-world.ts'

interface Sample {
  readonly node: string
  readonly at: number
  readonly metrics: Readonly<Record<string, number>>
}
interface PublicEvent {
  readonly kind: string
  readonly node: string
  readonly at: number
}

const HOUR_STEPS = 720

function samplesOf(world: FleetWorld): readonly Sample[] {
  return bodies<readonly Sample[]>(world.outputs, 'telemetry').flat()
}

function eventsOf(world: FleetWorld, kind: string): readonly PublicEvent[] {
  const outputs = world.outputs.filter(
    ({ headers }) => headers?.['ce_type'] === `foreshock.event.${kind}`,
  )
  return bodies<PublicEvent>(outputs, 'events')
}

describe('determinism', () => {
  test('the same seed and commands give the same bytes', () => {
    const runs = [0, 1].map(() => {
      const world = new FleetWorld()
      const { workload, node, target } = movable(world.fleet)
      world.steps(20)
      world.send('migrate', { node, workload, target })
      world.steps(100)
      return JSON.stringify(world.outputs)
    })
    expect(runs[0]).toBe(runs[1])
  })

  test('another seed gives other failures', () => {
    const kinds = [1, 2].map((seed) => {
      const world = new FleetWorld({ seed })
      world.steps(HOUR_STEPS)
      return JSON.stringify(world.fleet.truth().failures)
    })
    expect(kinds[0]).not.toBe(kinds[1])
  })

  test('commands change nobody else’s fate', () => {
    const [left, moved] = [new FleetWorld(), new FleetWorld()]
    const { workload, node, target } = movable(moved.fleet)
    moved.send('migrate', { node, workload, target })
    for (const world of [left, moved]) world.steps(HOUR_STEPS)
    const fates = [left, moved].map(({ fleet }) =>
      fleet.truth().failures.map((failure) => `${failure.node} ${failure.atMs} ${failure.kind}`),
    )
    expect(fates[0]).toEqual(fates[1])
    expect(fates[0].length).toBeGreaterThan(0)
  })
})

test('the metrics are those of the node class `server`, in its order', () => {
  const toml = readFileSync(join(import.meta.dirname, '../../../node-classes/server.toml'), 'utf8')
  const metrics = toml.split('[[metrics]]').slice(1)
  expect(metrics.map((text) => /name = "(\w+)"/.exec(text)![1])).toEqual([...METRICS])
})

test('every reading is within the bounds of its node class', () => {
  const world = new FleetWorld()
  world.steps(HOUR_STEPS)
  const ratios = METRICS.filter((name) => /utilization|pressure|ratio|error_rate/.test(name))
  for (const { metrics } of samplesOf(world)) {
    for (const name of ratios) {
      const value = metrics[name]
      if (value !== undefined && (value < 0 || value > 1)) expect.fail(`${name} = ${value}`)
    }
    for (const [name, value] of Object.entries(metrics)) {
      if (!(Number.isFinite(value) && value >= 0)) expect.fail(`${name} = ${value}`)
    }
    if ((metrics['cpu_temperature'] ?? 0) > 130) expect.fail('hotter than the sensor can say')
  }
})

test('the first step publishes every node and placement, then samples go to their partitions', () => {
  const world = new FleetWorld()
  expect(eventsOf(world, 'join')).toHaveLength(60)
  expect(published(world.outputs).size).toBe(world.fleet.truth().workloadCount)
  for (const output of world.outputs.filter(({ topic }) => topic === 'foreshock.telemetry')) {
    for (const { node, at } of JSON.parse(output.value as string) as readonly Sample[]) {
      expect(partitionOf(node, TOPOLOGY.nodePartitions)).toBe(output.partition)
      expect(at).toBe(START_MS)
    }
  }
})

test('a failed node goes silent, is confirmed as failed, and joins again after its repair', () => {
  const world = new FleetWorld({ failureRateFactor: 4 })
  world.steps(2 * HOUR_STEPS)
  const failures = eventsOf(world, 'failure')
  expect(failures.length).toBeGreaterThan(5)
  const joins = eventsOf(world, 'join')
  const samples = samplesOf(world)
  let rejoined = 0
  for (const { node, at } of failures) {
    const back = joins.find((join) => join.node === node && join.at > at)
    const untilMs = back?.at ?? world.nowMs
    const between = samples.filter((s) => s.node === node && s.at > at && s.at < untilMs)
    expect(between).toEqual([])
    if (back !== undefined) {
      rejoined++
      expect(back.at - at).toBeGreaterThanOrEqual(150_000)
    }
  }
  expect(rejoined).toBeGreaterThan(0)
})

test('300 nodes have 10 to 25 failures an hour, of several kinds and some without a sign', () => {
  const world = new FleetWorld({ nodeCount: 300, seed: 5 })
  for (let i = 0; i < 4 * HOUR_STEPS; i++) world.fleet.pass((world.nowMs += 5_000))
  const { failures, counts } = world.fleet.truth()
  expect(counts.failures / 4).toBeGreaterThan(10)
  expect(counts.failures / 4).toBeLessThan(25)
  expect(new Set(failures.map(({ kind }) => kind)).size).toBeGreaterThanOrEqual(5)
  expect(counts.unforeseeable).toBeGreaterThan(0)
  expect(counts.missed + counts.unforeseeable).toBe(counts.failures)
})

describe('commands', () => {
  test('a migration takes time, publishes the placement and is verified', () => {
    const world = new FleetWorld()
    const { workload, node, target } = movable(world.fleet)
    const command = world.send('migrate', { node, workload, target })
    expect(world.states(command)).toEqual(['accepted', 'started'])
    expect(published(world.outputs).get(workload)!.node).toBe(node)
    world.steps(120)
    expect(world.states(command)).toEqual(['accepted', 'started', 'succeeded', 'verified'])
    expect(published(world.outputs).get(workload)!.node).toBe(target)
    expect(world.fleet.truth().counts.migrationsSucceeded).toBe(1)
  })

  test('a node without GPUs is refused for work that needs them', () => {
    const world = new FleetWorld()
    const gpuWork = world.fleet.placements().find(({ needs }) => needs.gpu !== null)!
    const plain = world.fleet.placements().find(({ pool }) => pool === 'europe')!
    const { workload, node } = gpuWork
    const command = world.send('migrate', { node: node!, workload, target: plain.node })
    expect(world.states(command)).toEqual(['rejected'])
  })

  test('a workload is not recovered from a node that nobody has fenced', () => {
    const world = new FleetWorld()
    const { workload, node, target } = movable(world.fleet)
    expect(world.states(world.send('recover', { node, workload, target }))).toEqual(['rejected'])
    const fence = world.send('fence', { node })
    world.steps(6)
    expect(world.states(fence).at(-1)).toBe('verified')
    expect(world.fleet.truth().counts.wrongfulFences).toBe(1)
    const recover = world.send('recover', { node, workload, target })
    expect(world.states(recover)).toEqual(['accepted', 'started'])
  })

  test('a restart mends what was coming where the kind of failure allows it, and says what is up', () => {
    const world = new FleetWorld({ nodeCount: 150, failureRateFactor: 6 })
    let [mended, notMended] = [0, 0]
    for (let round = 0; round < 50; round++) {
      world.steps(20)
      for (const { node, failureKind } of world.fleet.unconfirmed()) {
        const isDown = !world.fleet.upNodes().includes(node)
        if (!isDown) continue
        const restart = world.send('restart', { node })
        world.steps(30)
        const last = world.states(restart).at(-1)
        if (failureKind === 'memory-leak') {
          expect(last).toBe('verified')
          expect(world.fleet.upNodes()).toContain(node)
          mended++
        } else if (failureKind === 'disk-wear' && last === 'failed') notMended++
      }
    }
    expect(mended).toBeGreaterThan(0)
    expect(notMended).toBeGreaterThan(0)
  })

  test('a restart interrupts the work of a node that is up, and a fenced node is not restarted', () => {
    const world = new FleetWorld()
    const { node } = movable(world.fleet)
    const restart = world.send('restart', { node })
    expect(world.fleet.upNodes()).not.toContain(node)
    const fence = world.send('fence', { node })
    world.steps(25)
    expect(world.states(fence).at(-1)).toBe('verified')
    expect(world.states(restart).at(-1)).toBe('failed')
    expect(world.fleet.upNodes()).not.toContain(node)
    expect(world.states(world.send('restart', { node }))).toEqual(['rejected'])
    world.steps(60)
    expect(world.fleet.upNodes()).toContain(node)
    const again = world.send('restart', { node })
    world.steps(25)
    expect(world.states(again)).toEqual(['accepted', 'started', 'succeeded', 'verified'])
  })

  test('two moves of one workload at once are refused', () => {
    const world = new FleetWorld()
    const { workload, node, target } = movable(world.fleet)
    world.send('migrate', { node, workload, target })
    expect(world.states(world.send('migrate', { node, workload, target }))).toEqual(['rejected'])
  })

  test('a cancelled move leaves the workload and gives its room back', () => {
    const world = new FleetWorld()
    const { workload, node, target } = movable(world.fleet)
    const move = world.send('migrate', { node, workload, target })
    world.send('cancel', { node, workload })
    expect(world.states(move).at(-1)).toBe('failed')
    world.steps(120)
    expect(published(world.outputs).get(workload)!.node).toBe(node)
    expect(world.states(world.send('migrate', { node, workload, target }))[0]).toBe('accepted')
  })

  test('a failure after a cordon is foreseen, one without it is missed', () => {
    const probe = new FleetWorld()
    probe.steps(3 * HOUR_STEPS)
    const failures = probe.fleet.truth().failures.filter(({ buildUpMs }) => buildUpMs > 0)
    const [first, second] = failures
    const world = new FleetWorld()
    while (world.nowMs < first.atMs - 300_000) world.steps(1)
    world.send('cordon', { node: first.node })
    while (world.nowMs < second.atMs) world.steps(1)
    const foreseen = new Map(world.fleet.truth().failures.map((f) => [f.node, f] as const))
    expect(foreseen.get(first.node)).toMatchObject({ foreseen: true })
    expect(foreseen.get(first.node)!.leadTimeMs).toBeGreaterThan(290_000)
    expect(foreseen.get(second.node)).toMatchObject({ foreseen: false, leadTimeMs: null })
  })

  test.each([
    { back: true, minutes: 30, because: 'half an hour where it was taken back' },
    { back: false, minutes: 60, because: 'an hour where it stood' },
  ])('an alarm is false after $because', ({ back, minutes }) => {
    const world = new FleetWorld({ failureRateFactor: 1e-9 })
    const node = 'europe-0000' as NodeId
    world.send('cordon', { node })
    if (back) world.send('uncordon', { node })
    world.steps(minutes * 12 - 1)
    expect(world.fleet.truth().counts.falseAlarms).toBe(0)
    world.steps(1)
    expect(world.fleet.truth().counts.falseAlarms).toBe(1)
  })

  test('an alarm taken back counts when the failure follows within half an hour', () => {
    const probe = new FleetWorld()
    probe.steps(3 * HOUR_STEPS)
    const failure = probe.fleet.truth().failures.find(({ buildUpMs }) => buildUpMs > 0)!
    const world = new FleetWorld()
    while (world.nowMs < failure.atMs - 600_000) world.steps(1)
    world.send('cordon', { node: failure.node })
    world.send('uncordon', { node: failure.node })
    while (world.nowMs < failure.atMs) world.steps(1)
    const told = world.fleet.truth().failures.find(({ node }) => node === failure.node)
    expect(told).toMatchObject({ foreseen: true })
  })
})
