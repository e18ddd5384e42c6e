/**
 * Gradient-boosted trees, grown leaf by leaf on histograms (second order), in WASM.
 *
 * The same data, parameters and seed give the same trees on every machine: random numbers come from
 * the seed, sums are integers, and `exp` is the module's own.
 */
import { assert } from '../src/core/errors.ts'
import { DEFAULT_BOOST, type BoostData, type BoostParams } from './boost-params.ts'
import { BoostRounds, type BoostStart, type BoostState } from './boost-rounds.ts'
import type { Booster } from './booster.ts'
import { SeededRandom } from './seeded-random.ts'

export { DEFAULT_BOOST, type BoostParams }

export interface BoostProgress {
  /** Rounds: trees, or trees per class. */
  readonly trees: number
  readonly treesMax: number
  /** Quality on the validation rows, when last looked at, as `validationQuality` has it; null without. */
  readonly validation: number | null
  /** What `growOutputs` can go on from. */
  readonly state: () => BoostState
}

/** `growBoost` at one go. */
export function trainBoost(
  module: WebAssembly.Module,
  data: BoostData,
  params: BoostParams,
  onProgress: (progress: BoostProgress) => void = () => {},
): Booster {
  return finish(growBoost(module, data, params), onProgress)
}

/** Yields after each tree, so that the caller can let others run, or stop. */
export function* growBoost(
  module: WebAssembly.Module,
  data: BoostData,
  params: BoostParams,
  start: BoostStart = { kind: 'fresh' },
): Generator<BoostProgress, Booster> {
  assert(params.objective !== 'softmax', 'classes have a booster each: growOutputs')
  const [booster] = yield* growOutputs(module, data, params, start)
  return booster
}

/** A booster per output: of `softmax` one per class, whose margins softmax makes probabilities. */
export function* growOutputs(
  module: WebAssembly.Module,
  data: BoostData,
  params: BoostParams,
  start: BoostStart = { kind: 'fresh' },
): Generator<BoostProgress, readonly Booster[]> {
  const rounds = new BoostRounds(module, data, params, start)
  while (rounds.next()) {
    yield {
      trees: rounds.rounds,
      treesMax: params.treesMax,
      validation: rounds.quality,
      state: () => rounds.state(),
    }
  }
  return rounds.result()
}

/** Runs a growth to its end. */
export function finish<Result>(
  growing: Generator<BoostProgress, Result>,
  onProgress: (progress: BoostProgress) => void = () => {},
): Result {
  for (;;) {
    const step = growing.next()
    if (step.done === true) return step.value
    onProgress(step.value)
  }
}

/** Random numbers 0..1 from a seed. */
export function randomFrom(seed: number): () => number {
  const random = SeededRandom.fromSeed(seed)
  return () => random.next()
}
