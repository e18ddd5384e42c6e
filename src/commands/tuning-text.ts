/** What tuning tells: one report, as JSON and as text, and the file of what was adopted. */
import { toPolicy } from '../config/policy.ts'
import type { ConfigChange } from '../core/runtime-config.ts'
import { GAIN_MIN } from '../simulate/tuning/adoption.ts'
import { PARTS, type Price, totalOf } from '../simulate/tuning/price.ts'
import { costOf, type Standing, type WorldSeed } from '../simulate/tuning/search.ts'
import { changesOf, overlayToml } from '../simulate/tuning/space.ts'
import type { Tuned, TuneOptions } from '../simulate/tuning/tune.ts'
import { formatNumber, right, table } from './output.ts'

/** Best candidates of the search that are told. */
const SHOWN_MAX = 5

/** Costs are in seconds of lost work, gains are shares of them. */
export interface TuningReport {
  readonly adopted: boolean
  readonly gainRatio: number | null
  readonly gainInterval: readonly [low: number, high: number] | null
  readonly changes: readonly ConfigChange[]
  /** Of the judgement, in all its worlds together. */
  readonly cost: { readonly unchanged: PriceOut; readonly tuned: PriceOut } | null
  readonly search: {
    readonly candidates: number
    readonly seeds: readonly [first: number, last: number]
    readonly gainRatio: number | null
    readonly best: readonly {
      readonly changes: readonly ConfigChange[]
      readonly worlds: number
      readonly gainRatio: number
    }[]
  }
  readonly judgedSeeds: readonly [first: number, last: number] | null
  /** Candidates that broke a promise, and where. */
  readonly refused: readonly {
    readonly changes: readonly ConfigChange[]
    readonly scenario: string
    readonly seed: number
    readonly what: string
  }[]
  readonly command: string
  readonly toml: string | null
}

type PriceOut = Price & { readonly total: number }

export function tuningReport(
  tuned: Tuned,
  { table: policy, knobs }: Pick<TuneOptions, 'table' | 'knobs'>,
  command: string,
): TuningReport {
  const { unchanged, standings, searchedWorlds, judgedWorlds, best, verdict, prices } = tuned
  const now = toPolicy(policy, {})
  const changesIn = ({ candidate }: Standing) => changesOf(candidate.values, knobs, now)
  const sound = standings.filter(({ broken }) => broken === null)
  const wrong = [...standings, ...(best === null ? [] : [{ ...best, broken: tuned.broken }])]
  const changes = best === null ? [] : changesIn(best)
  const report = {
    adopted: verdict?.adopted ?? false,
    gainRatio: verdict?.gainRatio ?? null,
    gainInterval: verdict?.interval ?? null,
    changes,
    cost: prices && { unchanged: priceOut(prices.unchanged), tuned: priceOut(prices.tuned) },
    search: {
      candidates: standings.length,
      seeds: seedsOf(searchedWorlds),
      gainRatio: best && searchGain(best, unchanged),
      best: sound.slice(0, SHOWN_MAX).map((standing) => ({
        changes: changesIn(standing),
        worlds: standing.prices.length,
        gainRatio: searchGain(standing, unchanged),
      })),
    },
    judgedSeeds: judgedWorlds.length === 0 ? null : seedsOf(judgedWorlds),
    refused: wrong.flatMap((standing) => {
      if (standing.broken === null) return []
      const { world, what } = standing.broken
      return [{ changes: changesIn(standing), ...world, what }]
    }),
    command,
  }
  return { ...report, toml: report.adopted ? overlayToml(changes, remarkOf(report)) : null }
}

/** In the worlds that both have lived through. */
function searchGain(standing: Standing, { prices, candidate }: Standing): number {
  const same = { candidate, prices: prices.slice(0, standing.prices.length), broken: null }
  const before = costOf(same)
  return before === 0 ? 0 : 1 - costOf(standing) / before
}

function seedsOf(worlds: readonly WorldSeed[]): readonly [number, number] {
  return [worlds[0].seed, worlds[worlds.length - 1].seed]
}

function priceOut(price: Price): PriceOut {
  return { ...price, total: totalOf(price) }
}

function remarkOf(report: Omit<TuningReport, 'toml'>): readonly string[] {
  const { gainRatio, gainInterval, judgedSeeds, search, command } = report
  return [
    `Tuned in simulated worlds: ${percent(gainRatio!)} less cost than without these keys`,
    `(95 % interval ${gainInterval!.map(percent).join(' to ')}), in worlds of seeds ${judgedSeeds!.join(' to ')},`,
    `which the search, in worlds of seeds ${search.seeds.join(' to ')}, had not seen.`,
    command,
  ]
}

export function tuningText(report: TuningReport, out: string | undefined): string {
  const { changes, cost, toml } = report
  return [
    verdictText(report),
    ...changes.map(({ key, from, to }) => `  ${key}: ${from ?? '(unset)'} → ${to ?? '(unset)'}`),
    ...(cost === null ? [] : ['', costTable(cost).trimEnd()]),
    ...refusedLines(report),
    ...(toml === null ? [] : ['', out === undefined ? toml.trimEnd() : `written to ${out}`]),
    '',
  ].join('\n')
}

function verdictText({
  adopted,
  gainRatio,
  gainInterval,
  changes,
  search,
  judgedSeeds,
}: TuningReport) {
  const tried = `${search.candidates} candidates, seeds ${search.seeds.join(' to ')}`
  if (judgedSeeds === null) return `defaults stay: none did better in the search (${tried})`
  const fresh = `fresh seeds ${judgedSeeds.join(' to ')}`
  if (gainRatio === null || gainInterval === null) {
    return `defaults stay: the best of the search (${tried}) broke a promise in ${fresh}`
  }
  const interval = gainInterval.map(percent).join(' to ')
  const gain = `${percent(gainRatio)} less cost (95 % interval ${interval}) in ${fresh}; in the search (${tried}) it had saved ${percent(search.gainRatio ?? 0)}`
  if (adopted) return `adopted: ${gain}`
  const asked = `${percent(GAIN_MIN)} is asked for`
  return `defaults stay: ${asked}; ${changes.length} changed keys gave ${gain}`
}

function costTable({ unchanged, tuned }: NonNullable<TuningReport['cost']>): string {
  const columns = [{ title: 'seconds of lost work' }, right('unchanged'), right('tuned')]
  const rows = [...PARTS, 'total' as const].map((part) => {
    return [
      NAMES[part],
      formatNumber(Math.round(unchanged[part])),
      formatNumber(Math.round(tuned[part])),
    ]
  })
  return table(columns, rows)
}

const NAMES = {
  downtime: 'downtime, by priority',
  actions: 'nodes emptied, fenced, restarted',
  harm: 'well nodes kept from work',
  falseAlarms: 'false alarms',
  misses: 'faults nobody was told of',
  total: 'total',
} as const

function refusedLines({ refused }: TuningReport): readonly string[] {
  return refused.slice(0, SHOWN_MAX).map(({ changes, scenario, seed, what }) => {
    const keys = changes.map(({ key, to }) => `${key} = ${to}`).join(', ')
    return `refused: ${keys}: ${what} (${scenario}, seed ${seed})`
  })
}

function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(1)} %`
}
