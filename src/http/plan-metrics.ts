/** What became of plans, by strategy and outcome, from the journal. */
import { type Counter, Histogram, type Registry } from 'prom-client'
import type { JournalEntry } from '../core/command.ts'
import { counterOf } from './instruments.ts'

/** Seconds: a promotion, a fail-over, a migration of large states, a plan that waits for people. */
const DURATION_BUCKETS = [1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 14_400, 86_400]

export class PlanMetrics {
  readonly #plans: Counter<'strategy' | 'outcome'>
  readonly #steps: Counter<'strategy' | 'end'>
  readonly #seconds: Histogram<'strategy' | 'outcome'>

  constructor(registry: Registry) {
    const help = 'Plans that have ended'
    this.#plans = counterOf(registry, 'foreshock_plans_total', help, 'strategy', 'outcome')
    this.#steps = counterOf(
      registry,
      'foreshock_plan_steps_total',
      'Steps of plans that have ended: done, not done, or taken back',
      'strategy',
      'end',
    )
    this.#seconds = new Histogram({
      name: 'foreshock_plan_duration_seconds',
      help: 'From the first command of a plan to its end',
      labelNames: ['strategy', 'outcome'],
      buckets: DURATION_BUCKETS,
      registers: [registry],
    })
  }

  /** An entry of kind `plan`; those that do not tell of an end are left out. */
  take({ evidence }: JournalEntry): void {
    const said = new Map(evidence.map(({ what, value }) => [what, value]))
    if (said.get('plan') !== 'ended') return
    const count = (name: string) => Number(said.get(name) ?? 0)
    const strategy = String(said.get('strategy'))
    const outcome = String(said.get('outcome'))
    const done = count('stepsDone')
    this.#plans.inc({ strategy, outcome })
    this.#seconds.observe({ strategy, outcome }, count('durationMs') / 1_000)
    this.#steps.inc({ strategy, end: 'done' }, done)
    this.#steps.inc({ strategy, end: 'not-done' }, count('steps') - done)
    this.#steps.inc({ strategy, end: 'taken-back' }, count('stepsTakenBack'))
  }
}
