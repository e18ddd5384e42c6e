/**
 * A world for the chooser alone: incidents of drawn kinds whose strategies work as often, and cost as
 * much, as the world's seed says. Costs on the way are the world's own expectations of what the chooser
 * would do next, so that luck is left out of them.
 */
import type { FaultKind, Severity } from '../core/fault.ts'
import {
  type ChoiceCause,
  type ChoiceContext,
  type ChooserRules,
  ladderOf,
  type Strategy,
  timeOutMsOf,
} from '../core/strategy.ts'
import { type Choice, Chooser, rungsAfter } from '../decide/choose.ts'
import { costSOf } from '../decide/outcome-model.ts'
import { Random, type Range } from '../fleet/random.ts'

/** Where a ladder ends in vain, s; as the chooser takes it. */
const PERSON_COST_S = 1_800
const RULES: ChooserRules = { exploreMinRatio: 0.01, exploreMaxRatio: 0.1 }
/** A kind of a world that is not as kinds usually are. */
const ODD_CHANCE = 0.15

/** Shares that wait and restart mend, from which each world draws its own. */
const USUAL: readonly (readonly [FaultKind, { readonly wait: Range; readonly restart: Range }])[] =
  [
    ['node-hardware', { wait: [0, 0.1], restart: [0, 0.3] }],
    ['network', { wait: [0.2, 0.8], restart: [0, 0.4] }],
    ['software', { wait: [0, 0.3], restart: [0.5, 0.95] }],
    ['performance-degradation', { wait: [0.2, 0.6], restart: [0.2, 0.8] }],
    ['resource-exhaustion', { wait: [0, 0.3], restart: [0.5, 0.9] }],
    ['service-unavailability', { wait: [0, 0.5], restart: [0.2, 0.8] }],
    ['data-corruption', { wait: [0, 0.1], restart: [0, 0.2] }],
  ]
const ODD = { wait: [0, 0.8], restart: [0, 0.95] } as const
/** Executors fail one time in thirty, and each step has three attempts. */
const LAST: Range = [0.95, 0.995]
const CAUSES: readonly { readonly cause: ChoiceCause; readonly weight: number }[] = [
  { cause: 'predicted', weight: 4 },
  { cause: 'silent', weight: 4 },
  { cause: 'failed', weight: 2 },
]
const SEVERITY: Readonly<Record<ChoiceCause, Severity>> = {
  predicted: 'error',
  silent: 'critical',
  failed: 'critical',
}
/** What passes until a strategy has worked, s. */
const WORKS_S: Readonly<Record<Strategy, Range>> = {
  wait: [5, 40],
  restart: [20, 120],
  migrate: [20, 240],
  'fail-over': [20, 240],
}
/** Share of predicted failures that come while `wait` or `restart` is tried in vain. */
const MEANWHILE: Range = [0, 0.3]

interface Truth {
  readonly works: number
  readonly elapsedMs: number
  readonly meanwhile: number
}

type Choices = ReadonlyMap<Strategy | null, Choice>

export interface ChooserRun {
  /** Expected cost after each incident, summed up: the chooser's, and of each first rung. */
  readonly chosen: readonly number[]
  readonly fixed: Readonly<Record<'wait' | 'restart' | 'last', readonly number[]>>
  /** Of one who knows how often each strategy works here and what it costs: nothing can be cheaper. */
  readonly knowing: readonly number[]
}

export class ChooserWorld {
  readonly #seed: number
  readonly #random: Random
  /** Apart from what the incidents are, so that every way of choosing meets the same ones. */
  readonly #outcomes: Random
  readonly #kinds: readonly { readonly kind: FaultKind; readonly weight: number }[]
  readonly #truths = new Map<string, Truth>()

  constructor(seed: number) {
    this.#seed = seed
    this.#random = new Random(seed, 'chooser/incidents')
    this.#outcomes = new Random(seed, 'chooser/outcomes')
    const random = new Random(seed, 'chooser/kinds')
    this.#kinds = USUAL.map(([kind]) => ({ kind, weight: random.exponential(1) }))
    for (const [kind, usual] of USUAL) {
      for (const { cause } of CAUSES) this.#draw(random, cause, kind, usual)
    }
  }

  run(incidentCount: number, rules = RULES): ChooserRun {
    const chooser = new Chooser()
    const chosen: number[] = []
    const knowing: number[] = []
    const fixed = { wait: [] as number[], restart: [] as number[], last: [] as number[] }
    for (let i = 0; i < incidentCount; i++) {
      const context = this.#context()
      const choices = this.#choices(chooser, context, `${this.#seed}.${i}`, rules)
      chosen.push((chosen.at(-1) ?? 0) + this.#expected(context, choices, null))
      knowing.push((knowing.at(-1) ?? 0) + this.#least(context, null))
      for (const name of ['wait', 'restart', 'last'] as const) {
        fixed[name].push((fixed[name].at(-1) ?? 0) + this.#expectedOf(context, from(context, name)))
      }
      this.#live(chooser, context, choices)
    }
    return { chosen, fixed, knowing }
  }

  /** What comes of one incident teaches the chooser; what is learned of one rung changes no other. */
  #live(chooser: Chooser, context: ChoiceContext, choices: Choices): void {
    let after: Strategy | null = null
    while (rungsAfter(context, after).length > 0) {
      const { strategy }: Choice = choices.get(after)!
      const { works, elapsedMs, meanwhile } = this.#truth(context, strategy)
      const ok = this.#outcomes.chance(works)
      const failedMeanwhile = !ok && this.#outcomes.chance(meanwhile)
      const tookMs = ok ? elapsedMs : failedMs(context, strategy, elapsedMs)
      chooser.learn({ context, strategy, ok, elapsedMs: tookMs, failedMeanwhile })
      if (ok) return
      after = strategy
    }
  }

  /** What the chooser would do after each rung that may have failed. */
  #choices(chooser: Chooser, context: ChoiceContext, seed: string, rules: ChooserRules): Choices {
    const choices = new Map<Strategy | null, Choice>()
    for (const after of [null, ...ladderOf(context).slice(0, -1)]) {
      const question = { seed: `${seed}/${after}`, context, after, isCritical: false, rules }
      choices.set(after, chooser.choose(question))
    }
    return choices
  }

  /** Of these choices, by what is so in this world. */
  #expected(context: ChoiceContext, choices: Choices, after: Strategy | null): number {
    const choice = choices.get(after)
    if (choice === undefined) return PERSON_COST_S
    let costS = 0
    for (const { strategy, propensityRatio } of choice.ranking) {
      if (propensityRatio === 0) continue
      const { works } = this.#truth(context, strategy)
      const next = this.#expected(context, choices, strategy)
      costS += propensityRatio * (this.#costS(context, strategy) + (1 - works) * next)
    }
    return costS
  }

  #expectedOf(context: ChoiceContext, rungs: readonly Strategy[]): number {
    const [strategy] = rungs
    if (strategy === undefined) return PERSON_COST_S
    const { works } = this.#truth(context, strategy)
    return this.#costS(context, strategy) + (1 - works) * this.#expectedOf(context, rungs.slice(1))
  }

  /** Of the cheapest way on after this rung. */
  #least(context: ChoiceContext, after: Strategy | null): number {
    const ways = rungsAfter(context, after).map((strategy) => {
      const { works } = this.#truth(context, strategy)
      return this.#costS(context, strategy) + (1 - works) * this.#least(context, strategy)
    })
    return ways.length === 0 ? PERSON_COST_S : Math.min(...ways)
  }

  #costS(context: ChoiceContext, strategy: Strategy): number {
    const { works, elapsedMs, meanwhile } = this.#truth(context, strategy)
    const cost = (tookMs: number, failedMeanwhile: boolean) =>
      costSOf({ context, strategy, elapsedMs: tookMs, failedMeanwhile })
    const lostMs = failedMs(context, strategy, elapsedMs)
    const failed = (1 - meanwhile) * cost(lostMs, false) + meanwhile * cost(lostMs, true)
    return works * cost(elapsedMs, false) + (1 - works) * failed
  }

  #context(): ChoiceContext {
    const { kind } = this.#random.weighted(this.#kinds)
    const { cause } = this.#random.weighted(CAUSES)
    return { cause, kind, severity: SEVERITY[cause] }
  }

  #truth({ cause, kind }: ChoiceContext, strategy: Strategy): Truth {
    return this.#truths.get(`${cause}/${kind}/${strategy}`)!
  }

  #draw(
    random: Random,
    cause: ChoiceCause,
    kind: FaultKind,
    usual: { readonly wait: Range; readonly restart: Range },
  ): void {
    const shares = random.chance(ODD_CHANCE) ? ODD : usual
    for (const strategy of ladderOf({ cause, kind })) {
      const isLast = strategy === 'migrate' || strategy === 'fail-over'
      const range = strategy === 'wait' || strategy === 'restart' ? shares[strategy] : LAST
      this.#truths.set(`${cause}/${kind}/${strategy}`, {
        works: random.between(range),
        elapsedMs: 1_000 * random.logBetween(WORKS_S[strategy]),
        meanwhile: cause === 'predicted' && !isLast ? random.between(MEANWHILE) : 0,
      })
    }
  }
}

/** In vain: a strategy has all its time; the last rung fails when it would have worked. */
function failedMs({ cause }: ChoiceContext, strategy: Strategy, elapsedMs: number): number {
  const timeOutMs = timeOutMsOf(strategy, cause)
  return Number.isFinite(timeOutMs) ? timeOutMs : elapsedMs
}

/** The ladder from this rung on; from its end where the rung is not allowed. */
function from(context: ChoiceContext, name: 'wait' | 'restart' | 'last'): readonly Strategy[] {
  const ladder = ladderOf(context)
  const rung = name === 'last' ? -1 : ladder.indexOf(name)
  return ladder.slice(rung === -1 ? -1 : rung)
}

export interface ChooserFigures {
  readonly worldCount: number
  /** Less cost than the strategy that was the best fixed one of each world, of all worlds together. */
  readonly savedRatio: number
  /** What one who knows each world's true costs from the first incident on saves: the ceiling. */
  readonly savedMostRatio: number
  /** The same of the world that gained least. */
  readonly savedLeastRatio: number
  /** Most that all worlds together had cost more by any time, from `SETTLED_COUNT` incidents on. */
  readonly worseRatio: number
  /** Of single worlds. */
  readonly worseInOneRatio: number
}

/** After fewer a sum speaks of the incidents it began with. */
const SETTLED_COUNT = 50

export function judgeChooser(seeds: readonly number[], incidentCount: number): ChooserFigures {
  const [chosenSum, bestSum, knowingSum] = [seeds, seeds, seeds].map(
    () => new Float64Array(incidentCount),
  )
  let [savedLeastRatio, worseInOneRatio] = [1, -1]
  for (const seed of seeds) {
    const { chosen, fixed, knowing } = new ChooserWorld(seed).run(incidentCount)
    const best = Object.values(fixed).reduce((a, b) => (a.at(-1)! <= b.at(-1)! ? a : b))
    for (let i = 0; i < incidentCount; i++) {
      chosenSum[i] += chosen[i]
      bestSum[i] += best[i]
      knowingSum[i] += knowing[i]
      if (i >= SETTLED_COUNT) worseInOneRatio = Math.max(worseInOneRatio, chosen[i] / best[i] - 1)
    }
    savedLeastRatio = Math.min(savedLeastRatio, 1 - chosen.at(-1)! / best.at(-1)!)
  }
  return {
    worldCount: seeds.length,
    savedRatio: 1 - chosenSum.at(-1)! / bestSum.at(-1)!,
    savedMostRatio: 1 - knowingSum.at(-1)! / bestSum.at(-1)!,
    savedLeastRatio,
    worseRatio: Math.max(
      ...chosenSum.map((cost, i) => cost / bestSum[i] - 1).subarray(SETTLED_COUNT),
    ),
    worseInOneRatio,
  }
}
