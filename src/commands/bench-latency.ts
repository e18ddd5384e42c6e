/**
 * How long it takes from a sample to the command that follows from it.
 *
 * A fleet sends its samples at an even pace, to the public topic or straight to the node-log. In each
 * message one node that was well until then sends the sample of a failing one; the model sees it, and
 * the coordinator cordons it. Measured is the time from just before that sample is produced until the command can be
 * read from its topic. Service, fleet and reader share this process, so the figure has their load in it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bus } from '../core/bus.ts'
import { toText } from '../core/bytes.ts'
import type { Command as FaultCommand } from '../core/command.ts'
import type { NodeClass } from '../core/node.ts'
import { topicName, type Topology } from '../core/topics.ts'
import {
  type LoadPath,
  nodeName,
  SAMPLE_INTERVAL_MS,
  SAMPLES_PER_MESSAGE,
  TelemetryLoad,
} from './bench-load.ts'

/** Small fleets send smaller messages, so that there is something to measure in each second. */
const MESSAGES_PER_INTERVAL_MIN = 100
/** A node must have been seen well before it can fall ill. */
export const WARM_UP_MS = 2 * SAMPLE_INTERVAL_MS
/** They stay ill, and no fleet has a tenth of its nodes ill: more would measure that. */
const ILL_PER_SECOND_MAX = 10
/** Commands that come later than this after the last sample are counted as missing. */
const PATIENCE_MS = 5_000
const READ_WAIT_MS = 50

export interface LatencyOptions {
  readonly bus: Bus
  readonly topology: Topology
  readonly nodeClass: NodeClass
  readonly nodeCount: number
  /** Samples a second, of all nodes. */
  readonly rate: number
  readonly forMs: number
  readonly path: LoadPath
  readonly signal: AbortSignal
  readonly onProgress: (doneRatio: number) => void
}

export interface LatencyFound {
  readonly samples: number
  /** Nodes that fell ill, and how long each took to be acted on, sorted. */
  readonly illCount: number
  readonly latenciesMs: readonly number[]
  /** Commands for nodes that were never ill. */
  readonly otherCount: number
  /** How far the fleet fell behind its own pace, at most. */
  readonly lateMsMax: number
}

export async function measureLatency(options: LatencyOptions): Promise<LatencyFound> {
  const { bus, topology, nodeClass, nodeCount, path } = options
  const samplesPerMessage = Math.min(
    SAMPLES_PER_MESSAGE,
    Math.max(1, Math.floor(nodeCount / MESSAGES_PER_INTERVAL_MIN)),
  )
  const load = new TelemetryLoad({
    topology,
    nodeClass,
    nodeCount,
    seed: 7,
    samplesPerMessage,
    path,
  })
  const watch = new CommandWatch(bus, topology)
  await watch.start()
  try {
    const sent = await sendPaced(options, load, watch)
    for (let waitedMs = 0; watch.waiting > 0 && waitedMs < PATIENCE_MS; waitedMs += READ_WAIT_MS) {
      await sleep(READ_WAIT_MS)
    }
    const latenciesMs = watch.latenciesMs.toSorted((a, b) => a - b)
    return { ...sent, illCount: watch.illCount, latenciesMs, otherCount: watch.otherCount }
  } finally {
    await watch.stop()
  }
}

async function sendPaced(
  { bus, rate, forMs, signal, onProgress }: LatencyOptions,
  load: TelemetryLoad,
  watch: CommandWatch,
): Promise<{ readonly samples: number; readonly lateMsMax: number }> {
  const messageEveryMs = (1_000 * load.samplesPerMessage) / rate
  const fallEvery = Math.max(1, Math.round(1_000 / messageEveryMs / ILL_PER_SECOND_MAX))
  const beganAtMs = performance.now()
  const inFlight = new Set<Promise<unknown>>()
  let [sent, lateMsMax] = [0, 0]
  const failures: unknown[] = []
  while (!signal.aborted && failures.length === 0 && sent * messageEveryMs < WARM_UP_MS + forMs) {
    const aheadMs = beganAtMs + sent * messageEveryMs - performance.now()
    if (aheadMs > 1) await sleep(aheadMs)
    lateMsMax = Math.max(lateMsMax, -aheadMs)
    const group = sent % load.groupCount
    const round = Math.floor(sent / load.groupCount)
    // In each round another node of the message.
    const next = load.nodesOf(group)[round % load.samplesPerMessage]
    const isTurn = sent % fallEvery === round % fallEvery
    const isWarm = sent * messageEveryMs >= WARM_UP_MS && round > 1
    const falls = isTurn && isWarm && !watch.isIll(next)
    if (falls) watch.fallsIll(next)
    const message = load.message(group, Date.now(), (node) => watch.isIll(node))
    const producing: Promise<unknown> = bus
      .produce([message])
      .catch((error: unknown) => void failures.push(error))
      .finally(() => inFlight.delete(producing))
    inFlight.add(producing)
    sent += 1
    onProgress((sent * messageEveryMs) / (WARM_UP_MS + forMs))
  }
  await Promise.all(inFlight)
  if (failures.length > 0) throw failures[0]
  return { samples: sent * load.samplesPerMessage, lateMsMax }
}

/** Reads the commands and knows who is ill since when. */
class CommandWatch {
  readonly latenciesMs: number[] = []
  otherCount = 0
  readonly #bus: Bus
  readonly #topology: Topology
  /** Node → when it fell ill. */
  readonly #ill = new Map<string, number>()
  readonly #illNumbers = new Set<number>()
  readonly #answered = new Set<string>()
  readonly #readings: Promise<void>[] = []
  #stopped = false

  constructor(bus: Bus, topology: Topology) {
    this.#bus = bus
    this.#topology = topology
  }

  get illCount(): number {
    return this.#ill.size
  }

  get waiting(): number {
    return this.#ill.size - this.#answered.size
  }

  isIll(node: number): boolean {
    return this.#illNumbers.has(node)
  }

  fallsIll(node: number): void {
    this.#illNumbers.add(node)
    this.#ill.set(nodeName(node), performance.now())
  }

  async start(): Promise<void> {
    for (const name of ['commands.migration', 'commands.recovery'] as const) {
      const topic = topicName(this.#topology, name)
      const reader = await this.#bus.read({ topic, from: 'end' })
      const readAll = async () => {
        while (!this.#stopped) {
          for (const { value } of await reader.take(READ_WAIT_MS)) this.#take(value)
        }
        await reader.close()
      }
      this.#readings.push(readAll())
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#readings)
  }

  #take(value: Uint8Array | null): void {
    if (value === null) return
    const { node } = JSON.parse(toText(value)) as FaultCommand
    const since = this.#ill.get(node)
    if (since === undefined) this.otherCount += 1
    else if (!this.#answered.has(node)) this.latenciesMs.push(performance.now() - since)
    this.#answered.add(node)
  }
}
