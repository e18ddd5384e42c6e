/** Work that waits for room, read from the coordinators at each scrape. */
import type { Counter, Gauge, Registry } from 'prom-client'
import type { WaitingFigures } from '../core/waiting.ts'
import type { Priority } from '../core/workload.ts'
import { counterOf, gaugeOf } from './instruments.ts'

export class WaitingMetrics {
  readonly #count: Gauge<'pool' | 'priority'>
  readonly #countMax: Gauge<'pool'>
  readonly #oldest: Gauge<'pool'>
  readonly #longest: Gauge<'pool'>
  readonly #turns: Counter<'pool' | 'outcome'>
  readonly #seconds: Counter<'pool'>

  constructor(registry: Registry) {
    const name = 'foreshock_waiting'
    this.#count = gaugeOf(
      registry,
      `${name}_workloads`,
      'Workloads that wait for room',
      'pool',
      'priority',
    )
    this.#countMax = gaugeOf(registry, `${name}_workloads_max`, 'Workloads that may wait', 'pool')
    this.#oldest = gaugeOf(
      registry,
      `${name}_oldest_seconds`,
      'How long the one has waited that waits longest now',
      'pool',
    )
    this.#longest = gaugeOf(
      registry,
      `${name}_longest_seconds`,
      'Longest wait of a workload that got room',
      'pool',
    )
    this.#turns = counterOf(
      registry,
      `${name}_turns_total`,
      'Workloads that began to wait, got room, or had no place in a full queue',
      'pool',
      'outcome',
    )
    this.#seconds = counterOf(
      registry,
      `${name}_seconds_total`,
      'Time that workloads waited before they got room',
      'pool',
    )
  }

  read(pools: readonly WaitingFigures[]): void {
    for (const each of [this.#count, this.#countMax, this.#oldest, this.#longest]) each.reset()
    this.#turns.reset()
    this.#seconds.reset()
    for (const { pool, counts, ...figures } of pools) {
      for (const [priority, count] of Object.entries(counts) as [Priority, number][]) {
        this.#count.set({ pool, priority }, count)
      }
      this.#countMax.set({ pool }, figures.countMax)
      this.#oldest.set({ pool }, figures.oldestMs / 1_000)
      this.#longest.set({ pool }, figures.waitedMsMax / 1_000)
      this.#turns.inc({ pool, outcome: 'entered' }, figures.enteredCount)
      this.#turns.inc({ pool, outcome: 'placed' }, figures.placedCount)
      this.#turns.inc({ pool, outcome: 'put-off' }, figures.putOffCount)
      this.#seconds.inc({ pool }, figures.waitedMs / 1_000)
    }
  }
}
