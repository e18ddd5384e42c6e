/**
 * The demonstration fleet with its executor and agents, and a coordinator that answers it: what a watcher would
 * say of liveness is told from the telemetry, nothing is predicted, and all else goes the way it always goes.
 */
import { Executor } from '../../src/agent/executor.ts'
import { HoldingBook } from '../../src/agent/holding-book.ts'
import type { LogRecord, Output } from '../../src/core/bus.ts'
import { toBytes } from '../../src/core/bytes.ts'
import type { Result } from '../../src/core/command.ts'
import type { WorkloadId } from '../../src/core/ids.ts'
import type { JoinEvent } from '../../src/core/node.ts'
import type { SplitBrainRules } from '../../src/core/split-brain.ts'
import { compareVersions } from '../../src/core/version-vector.ts'
import type { Placement } from '../../src/core/workload.ts'
import { Fleet, type FleetOptions, STEP_MS } from '../../src/fleet/fleet.ts'
import { decodeEvidence } from '../../src/ingest/evidence.ts'
import { decodePlacement } from '../../src/ingest/placements.ts'
import { CoordinatorWorld, START_MS } from './coordinator-world.ts'
import { bytesOf, textOf } from './output.ts'
import { SPLIT_BRAIN } from './split-network.ts'
import { wellRow } from './well-row.ts'

/** As a watcher has it, of a heartbeat every 5 s. */
const SILENT_MS = 15_000

export class CoordinatedFleet {
  readonly world: CoordinatorWorld
  readonly fleet: Fleet
  /** As published, by the newest version of each workload. */
  readonly published = new Map<WorkloadId, Placement>()
  readonly results: Result[] = []
  readonly #joins = new Map<string, JoinEvent>()
  readonly #heardAtMs = new Map<string, number>()
  #handed: readonly Output[] = []
  #readCount = 0

  constructor(fleet: Partial<FleetOptions>, splitBrain: SplitBrainRules | null = SPLIT_BRAIN) {
    this.world = new CoordinatorWorld({ policy: { splitBrain } })
    const { topology } = this.world
    const verify = (bytes: Uint8Array, signature: string) => signature === `signed-${bytes.length}`
    this.fleet = new Fleet({
      seed: 1,
      nodeCount: 60,
      topology,
      startMs: START_MS,
      standbys: true,
      createExecutor: (hooks) => new Executor({ topology, source: '/fleet', verify, hooks }),
      createAgent: (node) => new HoldingBook({ topology, source: `/agents/${node}`, verify, node }),
      ...fleet,
    })
  }

  step(): void {
    const { world } = this
    world.nowMs += STEP_MS
    for (const output of [...this.#handed, ...this.fleet.step(world.nowMs)]) this.#take(output)
    this.#tellLiveness()
    world.after(0)
    const said = world.outputs.slice(this.#readCount)
    this.#readCount = world.outputs.length
    this.#handed = said.flatMap((output) => {
      if (output.topic.startsWith('t.commands.')) {
        return this.fleet.handle([recordOf(output, world.nowMs)], world.nowMs)
      }
      if (output.topic !== 't.resync') return []
      return this.fleet.answer(recordOf(output, world.nowMs), world.nowMs)
    })
  }

  /** Where what was published and what is true of a workload are apart. */
  unknown(): readonly string[] {
    return this.fleet.placements().flatMap(({ workload, node }) => {
      const said = this.published.get(workload)?.node ?? null
      return said === node ? [] : [`${workload} is on ${node}, not on ${said}`]
    })
  }

  /** What the journal says of a condition, the newest last. */
  conditions(name: string) {
    return this.world.journal('condition').filter(({ condition }) => condition?.name === name)
  }

  /** What ingest makes of a public record. */
  #take({ topic, value }: Output): void {
    const { world } = this
    const text = textOf(value)
    if (topic === 't.placements') return this.#place(bytesOf(value)!)
    if (topic === 't.results') {
      const result = JSON.parse(text) as Result
      this.results.push(result)
      return void world.feed('result', result)
    }
    if (topic === 't.evidence') {
      const times = { nowMs: world.nowMs, appendedAtMs: world.nowMs }
      const read = decodeEvidence(bytesOf(value)!, times)
      if (!read.ok) throw new Error(read.detail)
      return void world.feed('evidence', read.value)
    }
    if (topic === 't.telemetry') {
      for (const { node } of JSON.parse(text) as readonly { readonly node: string }[]) {
        this.#heardAtMs.set(node, world.nowMs)
      }
    } else this.#happen(JSON.parse(text) as { readonly kind: string; readonly at: number })
  }

  #place(bytes: Uint8Array): void {
    const read = decodePlacement(bytes)
    if (!read.ok) throw new Error(read.detail)
    const placement = read.value
    const known = this.published.get(placement.workload)
    const order = compareVersions(placement.versions ?? {}, known?.versions ?? {})
    if (order !== 'before') this.published.set(placement.workload, placement)
    this.world.feed('placement', placement)
  }

  #happen({ at, ...event }: { readonly kind: string; readonly at: number }): void {
    if (event.kind === 'join') {
      const join = { ...event, atMs: at } as unknown as JoinEvent
      this.#joins.set(join.node, join)
      this.world.fact(join)
    } else {
      const { node } = event as unknown as JoinEvent
      this.world.fact({ kind: 'failure', node, atMs: at, failureKind: event.kind })
    }
  }

  #tellLiveness(): void {
    const { nowMs } = this.world
    const rows = [...this.#joins.values()].map(({ node, pool }) => {
      const silentForMs = nowMs - (this.#heardAtMs.get(node) ?? nowMs)
      const liveness = silentForMs > SILENT_MS ? 'silent' : 'live'
      return wellRow(node, pool, nowMs, { liveness, silentForMs, trigger: 'liveness' })
    })
    this.world.feed('assessment', { source: 0, atMs: nowMs, model: null, late: false, rows })
  }
}

function recordOf({ topic, partition, key, value, headers }: Output, nowMs: number): LogRecord {
  return {
    topic,
    partition,
    offset: 0,
    appendedAtMs: nowMs,
    key: typeof key === 'string' ? toBytes(key) : key,
    value: bytesOf(value),
    headers: headers ?? {},
  }
}
