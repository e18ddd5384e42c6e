/** Metrics of what is called outside of the bus, and of what is degraded, read at each scrape. */
import type { Counter, Gauge, Registry } from 'prom-client'
import { DEGRADED_NAMES, type DegradedMode } from '../core/degraded.ts'
import type { ConfigFigures } from '../core/runtime-config.ts'
import type { BreakerState, GuardFigures } from '../core/guard.ts'
import { counterOf, gaugeOf, setTotal } from './instruments.ts'

export interface HealthSources {
  readonly guards: () => readonly GuardFigures[]
  readonly degraded: () => readonly DegradedMode[]
  readonly config: () => ConfigFigures
}

const STATES: Readonly<Record<BreakerState, number>> = { closed: 0, 'half-open': 1, open: 2 }

export class HealthMetrics {
  readonly #sources: HealthSources
  readonly #state: Gauge<'target'>
  readonly #calls: Counter<'target' | 'outcome'>
  readonly #degraded: Gauge<'mode'>
  readonly #pools: Gauge<'state'>
  readonly #takenBack: Counter

  constructor(registry: Registry, sources: HealthSources) {
    this.#sources = sources
    this.#state = gaugeOf(
      registry,
      'foreshock_breaker_state',
      'Breaker of what is called outside: 0 closed, 1 half-open, 2 open',
      'target',
    )
    this.#calls = counterOf(
      registry,
      'foreshock_outside_calls_total',
      'Calls outside of the bus, and their retries',
      'target',
      'outcome',
    )
    this.#degraded = gaugeOf(registry, 'foreshock_degraded', '1 while the mode lasts', 'mode')
    this.#pools = gaugeOf(
      registry,
      'foreshock_config_pools',
      'Pools that are watched after a change of settings, or went back to what they had',
      'state',
    )
    this.#takenBack = counterOf(
      registry,
      'foreshock_config_taken_back_total',
      'Changes of settings that a pool took back',
    )
  }

  read(): void {
    this.#state.reset()
    this.#calls.reset()
    for (const { target, state, calls } of this.#sources.guards()) {
      this.#state.set({ target }, STATES[state])
      for (const [outcome, count] of Object.entries(calls)) {
        this.#calls.inc({ target, outcome }, count)
      }
    }
    const { pools, takenBackCount } = this.#sources.config()
    for (const state of ['watched', 'taken-back'] as const) {
      this.#pools.set({ state }, pools.filter((pool) => pool.state === state).length)
    }
    setTotal(this.#takenBack, takenBackCount)
    const modes = new Set(this.#sources.degraded().map(({ mode }) => mode))
    for (const mode of DEGRADED_NAMES) this.#degraded.set({ mode }, modes.has(mode) ? 1 : 0)
  }
}
