/**
 * Two processes of the whole service under load, killed in turn at every step of every role's commit
 * and started again; then the books are balanced.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import { deleteTopics } from '../../../src/bus/kafka/delete-topics.ts'
import { createVerifier, loadSigner } from '../../../src/config/keys.ts'
import type { Bus } from '../../../src/core/bus.ts'
import {
  INPUT_TOPICS,
  topicName,
  type TopicName,
  topicSpecs,
  type Topology,
} from '../../../src/core/topics.ts'
import { groupName } from '../../../src/pipeline/role.ts'
import { InstantFleet } from '../instant-fleet.ts'
import { type Point, POINTS } from './child.ts'
import { topologyOf } from '../deployment.ts'
import { type Ledger, readLedger } from './ledger.ts'
import { Load } from './load.ts'
import { ServiceProcess } from './process.ts'

const READY_MS_MAX = 90_000
const DEATH_MS_MAX = 60_000
const STOP_MS_MAX = 30_000
const SETTLE_MS_MAX = 60_000
const POLL_MS = 100

export interface ChaosOptions {
  readonly brokers: readonly string[]
  /** The path of kcat, which reads the books. */
  readonly kcat: string
  readonly prefix: string
  /** At each point. */
  readonly kills: number
  readonly onKill?: (point: Point, count: number, total: number) => void
}

export interface ChaosResult extends Ledger {
  readonly kills: number
  readonly points: number
  readonly elapsedMs: number
  /** Commands that executors refused: unsigned, of an older epoch or expired. */
  readonly rejected: number
  /** Records that no consumer group had read when everything was said to be over. */
  readonly behind: number
}

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { brokers, prefix } = options
  const topology = topologyOf(prefix)
  const bus = await openKafkaBus({ brokers, clientId: 'chaos-load', prefix })
  const stateDirectory = mkdtempSync(join(tmpdir(), 'foreshock-chaos-'))
  try {
    await bus.create(topicSpecs(topology))
    return await torment(options, topology, bus, stateDirectory)
  } finally {
    await bus.close()
    rmSync(stateDirectory, { recursive: true, force: true })
    const topics = topicSpecs(topology).map(({ name }) => name)
    await deleteTopics({ brokers, clientId: 'chaos-load', prefix }, topics)
  }
}

async function torment(
  options: ChaosOptions,
  topology: Topology,
  bus: Bus,
  stateDirectory: string,
): Promise<ChaosResult> {
  const { brokers, prefix, kills } = options
  const verify = createVerifier(loadSigner(stateDirectory).publicKey)
  const fleet = new InstantFleet({ bus, topology, verify, nowMs: Date.now })
  const load = new Load(bus, topology, fleet)
  const start = () => new ServiceProcess(brokers, prefix, stateDirectory)
  const processes = [start(), start()]
  const beganAtMs = performance.now()
  let killed = 0
  try {
    await Promise.all([fleet.start(), load.start()])
    for (const point of Array.from({ length: kills }, () => POINTS).flat()) {
      const turn = killed % processes.length
      for (const each of processes) await each.untilReady(READY_MS_MAX)
      await processes[turn].dieAt(point, DEATH_MS_MAX)
      processes[turn] = start()
      killed++
      options.onKill?.(point, killed, kills * POINTS.length)
    }
    await load.stop()
    const behind = await settle(bus, topology, load)
    await Promise.all(processes.map((each) => each.stop(STOP_MS_MAX)))
    await fleet.close()
    const elapsedMs = performance.now() - beganAtMs
    const { unsigned, stale, expired } = fleet.counts()
    const rejected = unsigned + stale + expired
    const ledger = await readLedger(options.kcat, brokers, topology, load)
    return { ...ledger, kills: killed, points: POINTS.length, elapsedMs, rejected, behind }
  } finally {
    for (const each of processes) each.kill()
    await load.stop()
    await fleet.close()
  }
}

/** Until every input is folded and every failure answered; what is left then shows in the books. */
async function settle(bus: Bus, topology: Topology, load: Load): Promise<number> {
  const deadlineMs = performance.now() + SETTLE_MS_MAX
  for (;;) {
    const behind = await inputsBehind(bus, topology)
    if ((behind === 0 && load.settled) || performance.now() > deadlineMs) return behind
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

async function inputsBehind(bus: Bus, topology: Topology): Promise<number> {
  const names: readonly TopicName[] = INPUT_TOPICS.filter((name) => name !== 'clock')
  const counts = await Promise.all(
    names.map(async (name) => {
      const topic = topicName(topology, name)
      const ends = await bus.ends(topic)
      const committed = await bus.committed(groupName(topology, 'ingest'), topic)
      return ends.reduce((sum, end, i) => sum + Math.max(0, end - (committed[i] ?? 0)), 0)
    }),
  )
  return counts.reduce((sum, count) => sum + count, 0)
}
