/**
 * A fleet folded by a watcher as the service does it, without a broker: records of the node-log in,
 * outputs out, with features, inference and liveness in between. Times are CPU times of this process,
 * so that neighbours on the machine do not count; the records are made outside of them.
 */
import { SAMPLE_INTERVAL_MS, TelemetryLoad } from '../../src/commands/bench-load.ts'
import { loadKernel, packagedModel } from '../../src/commands/package.ts'
import type { LogRecord, Output } from '../../src/core/bus.ts'
import { toBytes } from '../../src/core/bytes.ts'
import { assert } from '../../src/core/errors.ts'
import { logOutput, type Tick, type Watermark } from '../../src/core/log.ts'
import { DEFAULT_POLICY } from '../../src/core/policy.ts'
import { topicName } from '../../src/core/topics.ts'
import type { Fold } from '../../src/pipeline/fold.ts'
import { startLocalHost } from '../../src/pipeline/watcher-host.ts'
import { topologyOf } from '../../test/support/deployment.ts'
import { serverClass } from '../end-to-end/deployment.ts'

const SECOND_MS = 1_000
const INTERVAL_S = SAMPLE_INTERVAL_MS / SECOND_MS
/** On the grid of predictions, as the epoch is. */
export const START_MS = 60_000 * 28_000_000
const NODES_MAX = 1_048_576
/** A changed node is scored at each of its samples. */
const CHANGE_GAP_MS = 5_000
const CHANGE_DEVIATIONS = 3
const TOPOLOGY = topologyOf('', 'arrival', 1)

export interface Spent {
  readonly cpuMs: number
  readonly samples: number
}

export class FoldedFleet {
  readonly nodeCount: number
  readonly #fold: Fold
  readonly #load: TelemetryLoad
  #second = 0
  #offset = 0

  private constructor(nodeCount: number, fold: Fold) {
    this.nodeCount = nodeCount
    this.#fold = fold
    this.#load = directLoad(nodeCount)
  }

  static async create(nodeCount: number): Promise<FoldedFleet> {
    const host = await startLocalHost({
      topology: TOPOLOGY,
      kernel: await loadKernel(),
      nodeClasses: [serverClass()],
      models: { server: packagedModel('fleet') },
      changeGapMs: CHANGE_GAP_MS,
      changeDeviations: CHANGE_DEVIATIONS,
      policies: [DEFAULT_POLICY],
      nodesMax: NODES_MAX,
      source: '/foreshock/bench',
    })
    assert(host.models[0].provider === 'wasm', 'the packaged model runs on the tree kernel')
    return new FoldedFleet(nodeCount, await host.createFold(0))
  }

  /** The next tick alone; on a full minute it brings every node's prediction. */
  async tick(): Promise<Spent & { readonly outputs: readonly Output[] }> {
    const atMs = this.#nowMs()
    const tick: Tick = { source: 0, atMs: 0, step: 0 }
    const watermark: Watermark = { source: 0, atMs, delayMs: 0 }
    const topic = topicName(TOPOLOGY, 'node-log')
    const watermarkMs = await this.#timed([
      this.#record(logOutput(topic, 0, 'watermark', null, watermark)),
    ])
    const record = this.#record(logOutput(topic, 0, 'tick', null, tick))
    const before = process.cpuUsage()
    const outputs = await this.#fold.fold(record)
    return { cpuMs: watermarkMs + cpuMsSince(before), samples: 0, outputs }
  }

  /** The samples that follow a tick until the next one. */
  async samples(): Promise<Spent> {
    const { groupCount, samplesPerMessage } = this.#load
    const turn = this.#second % INTERVAL_S
    const from = Math.ceil((turn * groupCount) / INTERVAL_S)
    const to = Math.ceil(((turn + 1) * groupCount) / INTERVAL_S)
    const records = Array.from({ length: to - from }, (_, i) =>
      this.#record(this.#load.message(from + i, this.#nowMs())),
    )
    this.#second += 1
    return { cpuMs: await this.#timed(records), samples: records.length * samplesPerMessage }
  }

  async seconds(count: number): Promise<Spent> {
    let [cpuMs, samples] = [0, 0]
    for (let i = 0; i < count; i++) {
      for (const spent of [await this.tick(), await this.samples()]) {
        cpuMs += spent.cpuMs
        samples += spent.samples
      }
    }
    return { cpuMs, samples }
  }

  stats(): Readonly<Record<string, number>> {
    return this.#fold.stats()
  }

  /** What follows is dropped record by record, as it is in the service once it is committed. */
  async #timed(records: readonly LogRecord[]): Promise<number> {
    const before = process.cpuUsage()
    for (const record of records) await this.#fold.fold(record)
    return cpuMsSince(before)
  }

  #nowMs(): number {
    return START_MS + this.#second * SECOND_MS
  }

  #record({ topic, partition, value, headers = {} }: Output): LogRecord {
    assert(value !== null, 'a record of the load has a value')
    return {
      topic,
      partition,
      offset: this.#offset++,
      appendedAtMs: this.#nowMs(),
      key: null,
      value: typeof value === 'string' ? toBytes(value) : value,
      headers,
    }
  }
}

/** All nodes in one partition. */
export function directLoad(nodeCount: number): TelemetryLoad {
  const nodeClass = serverClass()
  return new TelemetryLoad({ topology: TOPOLOGY, nodeClass, nodeCount, seed: 7, path: 'direct' })
}

export function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}
