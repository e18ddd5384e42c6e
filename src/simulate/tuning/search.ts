/**
 * Successive halving (Jamieson and Talwalkar, 2016) over candidates: all of them live through a few worlds, the
 * best third through three times as many, and the best third of those through nine times as many. Worlds are
 * paired: whoever comes as far has lived through the same ones, and so has the unchanged candidate, which never
 * drops out. A candidate that breaks a promise in any world is out, whatever it saved.
 */
import { ServiceError } from '../../core/errors.ts'
import { type Price, totalOf } from './price.ts'
import type { Candidate } from './space.ts'

/** Worlds of a candidate at each rung, by the first rung's; and who goes on to the next. */
const RUNGS = [1, 3, 9]
const GO_ON = 1 / 3
const CANDIDATES_MIN = 3

export interface WorldSeed {
  readonly scenario: string
  readonly seed: number
}

export interface Trial {
  readonly candidate: Candidate
  readonly world: WorldSeed
}

export interface Lived {
  readonly price: Price
  /** A promise that was broken. */
  readonly broken: string | null
}

/** Lives through all of them, in any order; answers in theirs. */
export type Live = (trials: readonly Trial[]) => Promise<readonly Lived[]>

export interface Standing {
  readonly candidate: Candidate
  /** By world, the same worlds for all of a rung. */
  readonly prices: readonly Price[]
  readonly broken: { readonly world: WorldSeed; readonly what: string } | null
}

export interface Searched {
  readonly unchanged: Standing
  /** Best first: those that came further before those that did not, those that broke a promise last. */
  readonly standings: readonly Standing[]
}

/** How many candidates so many worlds are enough for. ServiceError USAGE where they are too few. */
export function candidatesFor(worldsMax: number, scenarioCount: number): number {
  const least = worldsOf(CANDIDATES_MIN, scenarioCount)
  if (worldsMax < least) {
    const files =
      scenarioCount === 1 ? 'one faults file needs' : `${scenarioCount} faults files need`
    throw new ServiceError('USAGE', `--worlds: ${files} at least ${least}, not ${worldsMax}`)
  }
  let count = CANDIDATES_MIN
  while (worldsOf(count + 1, scenarioCount) <= worldsMax) count++
  return count
}

/** Worlds of the search: each rung goes on where the one before ended, every scenario as often as the others. */
export function searchWorlds(
  scenarios: readonly string[],
  firstSeed: number,
): readonly WorldSeed[] {
  return worldsFrom(scenarios, firstSeed, scenarios.length * RUNGS.at(-1)!)
}

export function worldsFrom(
  scenarios: readonly string[],
  firstSeed: number,
  count: number,
): readonly WorldSeed[] {
  return Array.from({ length: count }, (_, i) => {
    return { scenario: scenarios[i % scenarios.length], seed: firstSeed + i }
  })
}

/** Candidates with the unchanged one first. ServiceError CONFIG_INVALID where that one breaks a promise. */
export async function searchPolicies(
  candidates: readonly Candidate[],
  worlds: readonly WorldSeed[],
  live: Live,
): Promise<Searched> {
  const perRung = worlds.length / RUNGS.at(-1)!
  let running: Standing[] = candidates.map((candidate) => {
    return { candidate, prices: [], broken: null }
  })
  const over: Standing[] = []
  for (const times of RUNGS) {
    running = await livedOn(running, worlds.slice(0, perRung * times), live)
    const [unchanged, ...others] = running
    failIfBroken(unchanged)
    others.sort(byCost)
    const goOn = times === RUNGS.at(-1) ? others.length : Math.ceil(others.length * GO_ON)
    const kept = others.slice(0, goOn).filter(({ broken }) => broken === null)
    over.unshift(...others.filter((standing) => !kept.includes(standing)))
    running = [unchanged, ...kept]
  }
  const [unchanged, ...finished] = running
  const standings = [...finished, ...over]
  const isBroken = ({ broken }: Standing) => broken !== null
  return {
    unchanged,
    standings: [...standings.filter((s) => !isBroken(s)), ...standings.filter(isBroken)],
  }
}

/** Everybody lives through those of the worlds that are new to it. */
async function livedOn(
  running: readonly Standing[],
  worlds: readonly WorldSeed[],
  live: Live,
): Promise<Standing[]> {
  const known = running[0].prices.length
  const fresh = worlds.slice(known)
  const trials = running.flatMap(({ candidate }) => fresh.map((world) => ({ candidate, world })))
  const lived = await live(trials)
  return running.map(({ candidate, prices }, index) => {
    const own = lived.slice(index * fresh.length, (index + 1) * fresh.length)
    return standingOf(candidate, fresh, own, prices)
  })
}

/** What a candidate has lived through in some worlds, after those that it knows already. */
export function standingOf(
  candidate: Candidate,
  worlds: readonly WorldSeed[],
  lived: readonly Lived[],
  before: readonly Price[] = [],
): Standing {
  const at = lived.findIndex(({ broken }) => broken !== null)
  return {
    candidate,
    prices: [...before, ...lived.map(({ price }) => price)],
    broken: at === -1 ? null : { world: worlds[at], what: lived[at].broken! },
  }
}

/** What breaks promises as it is cannot be improved by a search. */
export function failIfBroken({ broken }: Standing): void {
  if (broken === null) return
  const { world, what } = broken
  throw new ServiceError(
    'CONFIG_INVALID',
    `a promise is broken without any change, in ${world.scenario} with seed ${world.seed}: ${what}; mend that first`,
  )
}

export function costOf({ prices }: Standing): number {
  return prices.reduce((sum, price) => sum + totalOf(price), 0)
}

/** Who broke a promise comes last; of equals the one that was drawn first is the better. */
function byCost(a: Standing, b: Standing): number {
  const broken = Number(a.broken !== null) - Number(b.broken !== null)
  return broken || costOf(a) - costOf(b) || a.candidate.id - b.candidate.id
}

/** Of a search, with the unchanged candidate, which comes to the end. */
function worldsOf(candidateCount: number, scenarioCount: number): number {
  let worlds = RUNGS.at(-1)! * scenarioCount
  let [running, before] = [candidateCount, 0]
  for (const times of RUNGS) {
    worlds += running * (times - before) * scenarioCount
    running = Math.ceil(running * GO_ON)
    before = times
  }
  return worlds
}
