/** A forecast for people: rooms of the pools, and failures to be expected. */
import { formatDuration } from '../core/time.ts'
import type { ResourceRoom } from '../store/forecast/room.ts'
import type { Ahead } from '../store/forecast/series-forecast.ts'
import type { Forecast, PoolForecast } from './forecast.ts'
import { formatNumber, right, table } from './output.ts'

const UNKNOWN = '–'
const GIGABYTE = 1e9

export function forecastText({ atMs, aheadMs, pools }: Forecast): string {
  const untilMs = atMs + aheadMs
  const head = `From ${timeText(atMs)} to ${timeText(untilMs)} (${formatDuration(aheadMs)})\n`
  const unfit = pools.filter(({ resources }) => resources.some(({ ahead }) => ahead === null))
  const remarks = [
    'Usable is what targets may be filled to when the budgeted nodes, the largest, are gone; nodes as they are now.',
    'Intervals of load hold 9 of 10, if the future is like the past; those of failures, if nodes fail each by itself.',
    ...pools
      .filter(({ resources }) => resources.some(isUnmoved))
      .map(({ pool, historyMs }) => {
        const length = formatDuration(historyMs)
        return `Pool ${pool} has loads that did not change in ${length}; that is no proof that they will not.`
      }),
    ...unfit.map(
      ({ pool, historyMs }) =>
        `Pool ${pool} has placements of ${formatDuration(historyMs)} only: too little for a trend.`,
    ),
  ]
  return [
    head,
    roomTable(pools),
    failureTable(pools),
    remarks.map((remark) => `- ${remark}\n`).join(''),
  ].join('\n')
}

function roomTable(pools: readonly PoolForecast[]): string {
  const rows = pools.flatMap(({ pool, resources }) =>
    resources.map((room) => {
      const { resource, load, capacity, usable, season, perDay, ahead } = room
      return [
        pool,
        resource === 'memoryBytes' ? 'memory, GB' : resource,
        amount(room, load),
        amount(room, capacity),
        amount(room, usable),
        range(room, perDay),
        season ?? UNKNOWN,
        range(room, ahead),
        runsOut(room),
        needed(room),
      ]
    }),
  )
  const numbers = ['load', 'capacity', 'usable', 'a day']
  const more = ['then', 'runs out', 'nodes more']
  return table(
    [
      { title: 'pool' },
      { title: 'resource' },
      ...numbers.map(right),
      { title: 'season' },
      ...more.map(right),
    ],
    rows,
  )
}

function failureTable(pools: readonly PoolForecast[]): string {
  const rows = pools.map(({ pool, nodes, budgetNodes, failures }) => [
    pool,
    formatNumber(nodes),
    formatNumber(budgetNodes),
    failures === null
      ? UNKNOWN
      : `${short(failures.expected)} (${failures.low} to ${failures.high})`,
    failures === null ? UNKNOWN : formatDuration(failures.horizonMs),
  ])
  const numbers = ['nodes', 'budget', 'nodes that fail', 'horizon of predictions']
  return table([{ title: 'pool' }, ...numbers.map(right)], rows)
}

function isUnmoved({ perDay }: ResourceRoom): boolean {
  return perDay !== null && perDay.low === 0 && perDay.high === 0
}

function runsOut({ runsOutAtMs: { expected, earliest } }: ResourceRoom): string {
  if (expected !== null) return timeText(expected)
  return earliest === null ? 'no' : `perhaps ${timeText(earliest)}`
}

function needed({ nodesNeeded }: ResourceRoom): string {
  if (nodesNeeded === null) return UNKNOWN
  const { expected, high } = nodesNeeded
  return expected === high ? formatNumber(expected) : `${expected} to ${high}`
}

function range(room: ResourceRoom, ahead: Ahead | null): string {
  if (ahead === null) return UNKNOWN
  const [value, low, high] = [ahead.value, ahead.low, ahead.high].map((each) => amount(room, each))
  return `${value} (${low} to ${high})`
}

function amount({ resource }: ResourceRoom, value: number): string {
  return short(resource === 'memoryBytes' ? value / GIGABYTE : value)
}

function short(value: number): string {
  return formatNumber(Number(value.toPrecision(3)))
}

function timeText(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 16).concat('Z')
}
