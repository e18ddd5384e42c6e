// Goal: what the model shall learn is there to be learned, and what shall fool it is there too.
// Method: one node's signals with one trouble each, compared with the same node left alone.
import { describe, expect, test } from 'vitest'
import { createInventory } from '../../../src/fleet/inventory.ts'
import type { TroubleKind } from '../../../src/fleet/kinds.ts'
import { failureKinds, PASSING_KINDS } from '../../../src/fleet/kinds.ts'
import { NodeLife } from '../../../src/fleet/life.ts'
import { Random } from '../../../src/fleet/random.ts'
import type { MetricName } from '../../../src/fleet/signals.ts'
import { METRICS, NodeSignals } from '../../../src/fleet/signals.ts'
import { addTrouble, drawTrouble, noDrivers } from '../../../src/fleet/trouble.ts'
import { START_MS } from '../../support/fleet-world.ts'

const STEP_MS = 5_000
const QUARTERS = 4
const gpuNode = createInventory(1, 10).nodes[4]

/** Mean excess of a metric over the same node left alone, per quarter of the trouble. */
function excess(kind: TroubleKind, metric: MetricName, seed: number): readonly number[] {
  const random = new Random(seed, 'trouble')
  const trouble = drawTrouble(random, kind, START_MS, random.between(kind.durationMs))
  const [well, ill] = [new NodeSignals(seed, gpuNode), new NodeSignals(seed, gpuNode)]
  const demand = { cpu: 0.4, memory: 0.4, gpu: 0.4 }
  const index = METRICS.indexOf(metric)
  const sums = Array.from({ length: QUARTERS }, () => 0)
  const counts = Array.from({ length: QUARTERS }, () => 0)
  const lengthMs = trouble.endMs - trouble.startMs
  for (let nowMs = START_MS; nowMs < trouble.endMs; nowMs += STEP_MS) {
    const drivers = noDrivers()
    addTrouble(drivers, trouble, nowMs)
    const a = well.read(demand, noDrivers(), nowMs)[index]
    const b = ill.read(demand, drivers, nowMs)[index]
    if (typeof a !== 'number' || typeof b !== 'number') continue
    const quarter = Math.floor((QUARTERS * (nowMs - START_MS)) / lengthMs)
    sums[quarter] += b - a
    counts[quarter] += 1
  }
  return sums.map((sum, quarter) => sum / counts[quarter])
}

function kindOf(name: string): TroubleKind {
  const kinds: readonly TroubleKind[] = [...failureKinds('all'), ...PASSING_KINDS]
  return kinds.find((kind) => kind.name === name)!
}

describe('failures build up before they happen', () => {
  test.each<{ name: string; metric: MetricName; least: number }>([
    { name: 'thermal-runaway', metric: 'cpu_temperature', least: 15 },
    { name: 'memory-leak', metric: 'memory_utilization', least: 0.2 },
    { name: 'disk-wear', metric: 'disk_errors', least: 5 },
    { name: 'nic-flapping', metric: 'network_loss_ratio', least: 0.003 },
    { name: 'gpu-memory-errors', metric: 'gpu_memory_errors', least: 5 },
    { name: 'connection-leak', metric: 'error_rate', least: 0.005 },
    { name: 'disk-filling', metric: 'disk_utilization', least: 0.1 },
  ])('$name shows in $metric, more and more', ({ name, metric, least }) => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const quarters = excess(kindOf(name), metric, seed)
      expect(quarters[3]).toBeGreaterThan(least)
      expect(quarters[3]).toBeGreaterThan(2 * quarters[0])
    }
  })

  test('a sudden crash shows nothing', () => {
    expect(kindOf('sudden-crash')).toMatchObject({ durationMs: [0, 0], effects: [] })
  })
})

describe('troubles that pass look like the early signs and end', () => {
  test.each<{ name: string; metric: MetricName; least: number }>([
    { name: 'noisy-neighbour', metric: 'cpu_utilization', least: 0.1 },
    { name: 'load-spike', metric: 'cpu_temperature', least: 2 },
    { name: 'backup-burst', metric: 'disk_latency', least: 0.5 },
    { name: 'cache-growth', metric: 'memory_utilization', least: 0.1 },
    { name: 'fan-hiccup', metric: 'cpu_temperature', least: 5 },
    { name: 'gpu-page-retired', metric: 'gpu_memory_errors', least: 0.5 },
  ])('$name shows in $metric', ({ name, metric, least }) => {
    const heights = [1, 2, 3, 4, 5].map((seed) => Math.max(...excess(kindOf(name), metric, seed)))
    expect(Math.max(...heights)).toBeGreaterThan(least)
  })

  test('every one of them acts on a driver that some failure also moves, or on load', () => {
    const drivers = new Set(
      failureKinds('training').flatMap(({ effects }) => effects.map(({ driver }) => driver)),
    )
    for (const { name, effects } of PASSING_KINDS) {
      const shared = effects.some(({ driver }) => driver === 'load' || drivers.has(driver))
      expect(shared, name).toBe(true)
    }
  })

  test('a node meets them about as often as the table says, between its failures', () => {
    const met = new Set<string>()
    let meetings = 0
    for (let index = 0; index < 40; index++) {
      const options = { seed: 1, index, hasGpu: true, failures: 'training' as const }
      const life = new NodeLife({ ...options, failureRateFactor: 1e-9 }, START_MS)
      let before: string | null = null
      for (let nowMs = START_MS; nowMs < START_MS + 6 * 3_600_000; nowMs += STEP_MS) {
        life.driversAt(nowMs)
        const kind = life.passingKind
        if (kind !== null && kind !== before) meetings++
        if (kind !== null) met.add(kind)
        before = kind
      }
    }
    expect(met.size).toBe(PASSING_KINDS.length)
    expect(meetings / (40 * 6)).toBeGreaterThan(0.2)
    expect(meetings / (40 * 6)).toBeLessThan(0.5)
  })
})

test('the held-out set shares no build-up with the training set, by name', () => {
  const training = new Set(failureKinds('training').map(({ name }) => name))
  const shared = failureKinds('held-out').filter(({ name }) => training.has(name))
  expect(shared.map(({ name }) => name)).toEqual(['sudden-crash'])
})
