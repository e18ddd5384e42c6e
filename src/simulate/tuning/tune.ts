/**
 * Tunes a policy: draws candidates, has them search by living through worlds, and judges the best one against
 * what is there, once, in worlds that nobody has seen.
 */
import { type Verdict, judge } from './adoption.ts'
import type { Knob, PolicyTable } from './knobs.ts'
import { type Price, sumOfPrices, totalOf } from './price.ts'
import {
  candidatesFor,
  costOf,
  failIfBroken,
  type Live,
  searchPolicies,
  searchWorlds,
  type Standing,
  standingOf,
  worldsFrom,
  type WorldSeed,
} from './search.ts'
import { drawCandidates } from './space.ts'

/** Worlds that the search may run, and worlds of the judgement. */
export const WORLDS_MAX = 10_000
export const SEED_MAX = 100_000
/** Seeds of worlds: those of a search come first, and the judgement's after as many as there may be. */
const SEEDS_APART = 2 * WORLDS_MAX

export interface TuneOptions {
  readonly table: PolicyTable
  readonly knobs: readonly Knob[]
  readonly scenarios: readonly string[]
  readonly worldsMax: number
  readonly judgedCount: number
  readonly seed: number
  /** How worlds of one part of the work are lived through. */
  readonly live: (part: 'search' | 'judgement') => Live
}

export interface Tuned {
  /** Of the search. */
  readonly unchanged: Standing
  /** Of the search: best first, those that broke a promise last. */
  readonly standings: readonly Standing[]
  readonly searchedWorlds: readonly WorldSeed[]
  readonly judgedWorlds: readonly WorldSeed[]
  /** The one that was judged; null where none did better in the search than what is there. */
  readonly best: Standing | null
  /** What it broke in the worlds of the judgement. */
  readonly broken: Standing['broken']
  /** Null: nothing was judged, or a promise was broken. */
  readonly verdict: Verdict | null
  /** Of the judgement. */
  readonly prices: { readonly unchanged: Price; readonly tuned: Price } | null
}

/**
 * The same options tune the same. ServiceError USAGE where the worlds are too few or the bounds leave nothing,
 * CONFIG_INVALID where a promise is broken without any change.
 */
export async function tunePolicy(options: TuneOptions): Promise<Tuned> {
  const { table, knobs, scenarios, worldsMax, judgedCount, seed } = options
  const candidates = drawCandidates(table, knobs, candidatesFor(worldsMax, scenarios.length), seed)
  const searchedWorlds = searchWorlds(scenarios, seed * SEEDS_APART)
  const live = options.live('search')
  const { unchanged, standings } = await searchPolicies(candidates, searchedWorlds, live)
  const searched = { unchanged, standings, searchedWorlds }
  const [best] = standings
  if (best.broken !== null || costOf(best) >= costOf(unchanged)) {
    return { ...searched, judgedWorlds: [], best: null, broken: null, verdict: null, prices: null }
  }
  const judgedWorlds = worldsFrom(scenarios, seed * SEEDS_APART + WORLDS_MAX, judgedCount)
  const pair = [unchanged.candidate, best.candidate]
  const trials = pair.flatMap((candidate) => judgedWorlds.map((world) => ({ candidate, world })))
  const lived = await options.live('judgement')(trials)
  const before = standingOf(pair[0], judgedWorlds, lived.slice(0, judgedCount))
  const after = standingOf(pair[1], judgedWorlds, lived.slice(judgedCount))
  failIfBroken(before)
  const costs = (standing: Standing) => standing.prices.map((price) => totalOf(price))
  return {
    ...searched,
    judgedWorlds,
    best,
    broken: after.broken,
    verdict: after.broken === null ? judge(costs(before), costs(after), seed) : null,
    prices: { unchanged: sumOfPrices(before.prices), tuned: sumOfPrices(after.prices) },
  }
}
