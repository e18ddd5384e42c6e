// Goal: the search finds a known optimum, worlds are paired and fresh where they should be, and what is adopted
// is what the rule allows. Method: costs of worlds by a formula, so that the best policy is known.
import { expect, test } from 'vitest'
import { type Knob, KNOBS, type Values } from '../../../../src/simulate/tuning/knobs.ts'
import { candidatesFor, type Live, type Trial } from '../../../../src/simulate/tuning/search.ts'
import { tunePolicy, type TuneOptions } from '../../../../src/simulate/tuning/tune.ts'

const knob = (name: string): Knob => KNOBS.find(({ key }) => key === `policy.${name}`)!
const FREE = { actions: 0, harm: 0, falseAlarms: 0, misses: 0 }
const SCENARIOS = ['rough', 'smooth']

/** Each world has a size of its own, which everybody meets there. */
function lives(costOf: (values: Values) => number): {
  readonly live: TuneOptions['live']
  readonly trials: Record<'search' | 'judgement', (readonly Trial[])[]>
} {
  const trials: Record<'search' | 'judgement', (readonly Trial[])[]> = { search: [], judgement: [] }
  const live = (part: 'search' | 'judgement'): Live => {
    return async (asked) => {
      trials[part].push(asked)
      return asked.map(({ candidate, world }) => {
        const size = 1 + ((world.seed * 13) % 7) + (world.scenario === 'rough' ? 20 : 0)
        return { price: { ...FREE, downtime: size * costOf(candidate.values) }, broken: null }
      })
    }
  }
  return { live, trials }
}

function options(live: TuneOptions['live'], more: Partial<TuneOptions> = {}): TuneOptions {
  const knobs = [knob('acting_point'), knob('cooldown'), knob('budget')]
  const budgets = { worldsMax: 900, judgedCount: 12, seed: 5 }
  return { table: {}, knobs, scenarios: SCENARIOS, ...budgets, live, ...more }
}

/** Least at an acting point of 0.6 and a cooldown of two minutes; the budget changes nothing. */
function bowl(values: Values): number {
  const { 'policy.acting_point': point = 0.8, 'policy.cooldown': cooldown = 300_000 } = values
  return 10 + 400 * (point - 0.6) ** 2 + 10 * Math.log(cooldown / 120_000) ** 2
}

test('it comes near the optimum, and the same seed tunes the same', async () => {
  const { live } = lives(bowl)
  const tuned = await tunePolicy(options(live))
  const { values } = tuned.best!.candidate
  expect(bowl({})).toBeGreaterThan(34)
  expect(bowl(values)).toBeLessThan(12)
  expect(tuned.verdict).toMatchObject({ adopted: true })
  expect(tuned.verdict!.gainRatio).toBeCloseTo(1 - bowl(values) / bowl({}))
  expect(await tunePolicy(options(live))).toEqual(tuned)
  expect(await tunePolicy(options(live, { seed: 6 }))).not.toEqual(tuned)
})

test.each([
  { saved: 0.19, adopted: false },
  { saved: 0.21, adopted: true },
])(
  'a policy that saves $saved in fresh worlds is adopted: $adopted',
  async ({ saved, adopted }) => {
    const attempts = { ...knob('attempts_max'), low: 3, high: 4 }
    const costOf = (values: Values) => (values['policy.attempts_max'] === 4 ? 1 - saved : 1)
    const tuned = await tunePolicy(options(lives(costOf).live, { knobs: [attempts] }))
    expect(tuned.best!.candidate.values).toEqual({ 'policy.attempts_max': 4 })
    expect(tuned.verdict!.gainRatio).toBeCloseTo(saved)
    expect(tuned.verdict!.adopted).toBe(adopted)
  },
)

test('what saves only in the worlds of the search is not adopted', async () => {
  const { live: searched } = lives((values) => (Object.keys(values).length === 0 ? 1 : 0.5))
  const { live: judged } = lives(() => 1)
  const live: TuneOptions['live'] = (part) => (part === 'search' ? searched : judged)(part)
  const { verdict } = await tunePolicy(options(live))
  expect(verdict).toEqual({ gainRatio: 0, interval: [0, 0], adopted: false })
})

test('where nothing is better nothing is judged', async () => {
  const { live, trials } = lives((values) => 1 + Object.keys(values).length)
  const tuned = await tunePolicy(options(live))
  expect(tuned).toMatchObject({ best: null, verdict: null, prices: null, judgedWorlds: [] })
  expect(trials.judgement).toEqual([])
})

test('all of a rung live through the same worlds, the unchanged one among them', async () => {
  const { live, trials } = lives(bowl)
  const tuned = await tunePolicy(options(live))
  const rungs = [...trials.search, ...trials.judgement].map((asked) => {
    const ofCandidate = new Map<number, string[]>()
    for (const { candidate, world } of asked) {
      const worlds = ofCandidate.get(candidate.id) ?? []
      ofCandidate.set(candidate.id, [...worlds, `${world.scenario}/${world.seed}`])
    }
    return ofCandidate
  })
  expect(rungs).toHaveLength(4)
  for (const rung of rungs) {
    expect(new Set([...rung.values()].map(String)).size).toBe(1)
    expect(rung.has(0)).toBe(true)
  }
  const sizes = rungs.map(({ size }) => size - 1)
  expect(sizes).toEqual([sizes[0], Math.ceil(sizes[0] / 3), Math.ceil(sizes[0] / 9), 1])
  // No world is lived through twice, and those of the judgement are nobody's before.
  const worlds = rungs.map((rung) => rung.get(0)!)
  expect(worlds.map(({ length }) => length)).toEqual([2, 4, 12, 12])
  expect(new Set(worlds.flat()).size).toBe(worlds.flat().length)
  expect(tuned.searchedWorlds).toHaveLength(18)
  expect(tuned.standings[0].prices).toHaveLength(18)
})

test('fresh seeds are fresh for every seed of a search: no two share a world', async () => {
  const seeds: number[] = []
  for (const seed of [0, 1, 2]) {
    const { live } = lives(bowl)
    const { searchedWorlds, judgedWorlds } = await tunePolicy(options(live, { seed }))
    seeds.push(...searchedWorlds.map((world) => world.seed))
    seeds.push(...judgedWorlds.map((world) => world.seed))
  }
  expect(new Set(seeds).size).toBe(seeds.length)
})

test('no more worlds are lived through than were allowed, and nearly as many', async () => {
  for (const worldsMax of [41, 100, 333]) {
    const { live, trials } = lives(bowl)
    await tunePolicy(options(live, { worldsMax }))
    const count = trials.search.flat().length
    expect(count).toBeLessThanOrEqual(worldsMax)
    expect(count).toBeGreaterThan(worldsMax - 20)
  }
  expect(() => candidatesFor(39, 2)).toThrow('--worlds: 2 faults files need at least 40, not 39')
})

test('who breaks a promise in any world is out, whatever it saved', async () => {
  const cheap = lives(bowl)
  const live: TuneOptions['live'] = (part) => async (asked) => {
    const lived = await cheap.live(part)(asked)
    return lived.map((each, index) => {
      const { candidate, world } = asked[index]
      const low = (candidate.values['policy.acting_point'] ?? 0.8) < 0.7
      return low && world.seed % 5 === 0 ? { ...each, broken: 'two copies' } : each
    })
  }
  const tuned = await tunePolicy(options(live, { seed: 4 }))
  expect(tuned.best!.candidate.values['policy.acting_point'] ?? 0.8).toBeGreaterThanOrEqual(0.7)
  const refused = tuned.standings.filter(({ broken }) => broken !== null)
  expect(refused.length).toBeGreaterThan(0)
  expect(tuned.standings.slice(-refused.length)).toEqual(refused)
  expect(refused[0].broken).toMatchObject({ what: 'two copies' })
  expect(refused[0].broken!.world.seed % 5).toBe(0)
})

test('who breaks a promise in a fresh world is not adopted', async () => {
  const cheap = lives(bowl)
  const live: TuneOptions['live'] = (part) => async (asked) => {
    const lived = await cheap.live(part)(asked)
    return lived.map((each, index) => {
      const isLast = part === 'judgement' && index === asked.length - 1
      return isLast ? { ...each, broken: 'it acts after a stop' } : each
    })
  }
  const tuned = await tunePolicy(options(live))
  expect(tuned.verdict).toBeNull()
  expect(tuned.broken).toMatchObject({ what: 'it acts after a stop' })
})

test('a promise that is broken without any change ends it', async () => {
  const live: TuneOptions['live'] = () => async (asked) =>
    asked.map(({ candidate }) => ({
      price: { ...FREE, downtime: 1 },
      broken: candidate.id === 0 ? 'it forgets' : null,
    }))
  await expect(tunePolicy(options(live))).rejects.toThrow(
    /^a promise is broken without any change, in rough with seed \d+: it forgets; mend that first$/,
  )
})
