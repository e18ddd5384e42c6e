/**
 * What became of alarms that nobody answered, each weighed by how seldom its like is held out (Horvitz and
 * Thompson, 1952): so the share of true ones among all that could have been is not bent by who was moved.
 */
import type { HoldOutFigures, HoldOutRecord } from '../core/model-life.ts'
import type { Side } from './model-overrides.ts'
import type { Trial } from './model-trial.ts'

interface Sums {
  count: number
  failureCount: number
  weight: number
  failureWeight: number
}

/** Of one class, since its newest assignment. */
export class HoldOutSums {
  #sums = emptySums()

  /** Another pair of models. */
  reset(): void {
    this.#sums = emptySums()
  }

  take({ pool, propensityRatio, failed }: HoldOutRecord, trial: Trial | null): void {
    const side = trial?.canaryPools.includes(pool) === true ? 'challenger' : 'champion'
    const sums = this.#sums[side]
    const weight = 1 / propensityRatio
    sums.count++
    sums.weight += weight
    if (!failed) return
    sums.failureCount++
    sums.failureWeight += weight
  }

  figures(): Readonly<Record<Side, HoldOutFigures>> {
    const { champion, challenger } = this.#sums
    return { champion: figuresOf(champion), challenger: figuresOf(challenger) }
  }
}

function figuresOf({ count, failureCount, weight, failureWeight }: Sums): HoldOutFigures {
  return { count, failureCount, precision: weight === 0 ? null : failureWeight / weight }
}

function emptySums(): Record<Side, Sums> {
  const empty = (): Sums => ({ count: 0, failureCount: 0, weight: 0, failureWeight: 0 })
  return { champion: empty(), challenger: empty() }
}
