/**
 * `foreshock forecast`: the load of each pool some time ahead, when it runs out of room for the loss of its
 * budgeted nodes, how many nodes more it would need, and how many nodes are expected to fail.
 */
import { type Config, policyFor } from '../config/config.ts'
import type { Bus } from '../core/bus.ts'
import { toText } from '../core/bytes.ts'
import { ServiceError } from '../core/errors.ts'
import type { PoolId } from '../core/ids.ts'
import { formatDuration } from '../core/time.ts'
import { topicName } from '../core/topics.ts'
import { lengthOf, PoolBooks } from '../store/forecast/pool-books.ts'
import {
  type ExpectedFailures,
  type NodeState,
  type Prediction,
  Risks,
} from '../store/forecast/risks.ts'
import { budgetOf, type ResourceRoom, roomsOf } from '../store/forecast/room.ts'
import { loadedConfig, openBus } from './bus.ts'
import { type Arguments, type Command, CONFIG_OPTIONS, type Io } from './command.ts'
import { forecastText } from './forecast-text.ts'
import { printJson } from './output.ts'
import { readPoolLog } from './pool-log-records.ts'
import { Progress } from './progress.ts'
import { readTopic } from './topic-records.ts'

const AHEAD_MS = 7 * 86_400_000

export interface PoolForecast {
  readonly pool: PoolId
  readonly nodes: number
  /** Nodes that may be in repair at once, by the policy. */
  readonly budgetNodes: number
  /** How far back placements go, ms, and the step between values. */
  readonly historyMs: number
  readonly stepMs: number
  /** Those that work of the pool needs. */
  readonly resources: readonly ResourceRoom[]
  /** Null without predictions. */
  readonly failures: ExpectedFailures | null
}

export interface Forecast {
  readonly atMs: number
  readonly aheadMs: number
  readonly pools: readonly PoolForecast[]
}

export const command: Command = {
  name: 'forecast',
  summary: 'say how full pools will be, when they run out of room, and how many nodes will fail',
  options: {
    ...CONFIG_OPTIONS,
    ahead: { kind: 'text', value: 'TIME', summary: 'how far to look', fallback: '7d' },
    pool: { kind: 'text', value: 'POOL', summary: 'this pool only' },
  },
  async run(args, io) {
    const aheadMs = args.duration('ahead') ?? AHEAD_MS
    if (aheadMs === 0) throw new ServiceError('USAGE', '--ahead: write a time over 0, such as 7d')
    const forecast = await read(args, io, aheadMs)
    if (args.flag('json')) printJson(io, forecast)
    else io.stdout(forecastText(forecast))
    const isShort = forecast.pools.some(({ resources }) => {
      return resources.some(({ runsOutAtMs }) => runsOutAtMs.expected !== null)
    })
    return isShort ? 1 : 0
  },
}

async function read(args: Arguments, io: Io, aheadMs: number): Promise<Forecast> {
  const config = loadedConfig(args, io)
  const bus = await openBus(config, io)
  const progress = new Progress(io, 'forecast')
  try {
    const topic = topicName(config.topology, 'pool-log')
    if (!(await bus.describe([topic])).has(topic)) {
      const mend = 'start the service once, or run foreshock topics create'
      throw new ServiceError('TOPIC_MISSING', `forecast: there is no topic ${topic}: ${mend}`)
    }
    const gathered = await gather(bus, config, io, progress)
    if (io.signal.aborted) throw new ServiceError('INTERRUPTED', 'forecast was interrupted')
    const { books, risks, toldAtMs } = gathered
    const atMs = config.topology.clock === 'driven' ? toldAtMs : io.nowMs()
    const wanted = args.text('pool')
    const pools = books.pools().filter((pool) => wanted === undefined || pool === wanted)
    if (pools.length === 0) throw nothing(config, wanted)
    return {
      atMs,
      aheadMs,
      pools: pools.map((pool) => forecastOf(pool, books, risks, config, atMs, aheadMs)),
    }
  } finally {
    progress.done()
    await bus.close()
  }
}

async function gather(bus: Bus, config: Config, io: Io, progress: Progress) {
  const { topology } = config
  const [books, risks] = [new PoolBooks(), new Risks()]
  let count = 0
  const note = () => progress.update(null, `${++count} records`)
  const toldAtMs = await readPoolLog(
    bus,
    topology,
    (told, atMs) => {
      if (told.kind === 'placement') books.takePlacement(told.placement, atMs)
      else if (told.kind === 'node-fact') books.takeFact(told.event)
      note()
    },
    note,
    io.signal,
  )
  const bodies = (topic: string, take: (text: string) => void) =>
    readTopic(
      bus,
      topic,
      ({ value }) => {
        note()
        if (value !== null) take(toText(value))
      },
      io.signal,
    )
  await bodies(topicName(topology, 'nodes'), (text) => {
    const node = JSON.parse(text) as NodeState
    books.setUp(node.node, !node.failed)
    risks.takeNode(node)
  })
  await bodies(topicName(topology, 'predictions'), (text) => {
    risks.takePrediction(JSON.parse(text) as Prediction)
  })
  return { books, risks, toldAtMs }
}

function forecastOf(
  pool: PoolId,
  books: PoolBooks,
  risks: Risks,
  config: Config,
  nowMs: number,
  aheadMs: number,
): PoolForecast {
  const rules = policyFor(config, pool)
  const [nodes, series] = [books.nodesOf(pool), books.seriesOf(pool, nowMs)]
  const load = books.loadOf(pool)
  return {
    pool,
    nodes: nodes.size,
    budgetNodes: budgetOf(rules, nodes.size),
    historyMs: lengthOf(series),
    stepMs: series.stepMs,
    resources: roomsOf({ series, load, nodes, rules, nowMs, aheadMs }),
    failures: risks.failuresOf(pool, nodes.keys(), aheadMs),
  }
}

function nothing({ topology }: Config, pool: string | undefined): ServiceError {
  const what = pool === undefined ? 'no pool is known' : `pool ${pool} is not known`
  const kept = formatDuration(topology.retentionMs)
  const mend = `send joins and placements, or check topology.prefix (${topology.prefix}) and --pool`
  return new ServiceError('HISTORY_EMPTY', `forecast: ${what} in the last ${kept}: ${mend}`)
}
