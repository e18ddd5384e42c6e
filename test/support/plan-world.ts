/**
 * A service in a process of its own on a real broker, nodes in front of it, executors whose every step
 * waits for the test, and `kill -9` while one of them waits. What a plan did is read from commands and
 * journal alone.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { openKafkaBus } from '../../src/bus/kafka/bus.ts'
import type { CommitStep } from '../../src/bus/kafka/client.ts'
import { createVerifier, loadSigner } from '../../src/config/keys.ts'
import type { Bus, Reader } from '../../src/core/bus.ts'
import { toText } from '../../src/core/bytes.ts'
import type { Command, CommandAction, JournalEntry } from '../../src/core/command.ts'
import type { NodeId, WorkloadId } from '../../src/core/ids.ts'
import { topicName, topicSpecs, type Topology } from '../../src/core/topics.ts'
import type { Placement } from '../../src/core/workload.ts'
import { ServiceProcess } from './chaos/process.ts'
import { topologyOf } from './deployment.ts'
import { writeFeverModel } from './fever.ts'
import { GatedFleet, type Phase } from './gated-fleet.ts'
import { uniquePrefix } from './kafka.ts'
import { placementOn, publicOutput, ServerPulse } from './server-pulse.ts'

const PATIENCE_MS = 60_000
const PARTITIONS = 2
const ROUNDS_AFTER = 5
const ROUNDS_IN_SIGHT = 3
/** Takes the work of all. */
const SPARE = { cpu: 1_000, memoryBytes: 1e12 }
/** Full with the work that it begins with, so that no other comes to it. */
const FULL = { cpu: 2, memoryBytes: 64e9 }

export interface PlanWorldOptions {
  readonly brokers: readonly string[]
  readonly nodes: readonly string[]
  /** Those of them that have room. */
  readonly spares: readonly string[]
  /** Where the work of a node has its hot standbys, by node. */
  readonly standbys: Readonly<Record<string, string>>
}

interface Kill {
  readonly node: string
  readonly action: CommandAction
  readonly phase: Phase
}

export class PlanWorld {
  readonly fleet: GatedFleet
  readonly pulse: ServerPulse
  readonly kills: string[] = []
  readonly dead = new Set<string>()
  /** Moves from these nodes fail, each time that they are tried. */
  readonly stuck = new Set<string>()
  readonly #bus: Bus
  readonly #topology: Topology
  readonly #start: () => ServiceProcess
  readonly #directory: string
  readonly #journal: JournalEntry[] = []
  readonly #standbys: PlanWorldOptions['standbys']
  #journalReader: Reader | null = null
  #process: ServiceProcess
  #kill: Kill | null = null

  private constructor(
    { brokers, nodes, spares, standbys }: PlanWorldOptions,
    bus: Bus,
    prefix: string,
  ) {
    this.#bus = bus
    this.#topology = topologyOf(prefix, 'arrival', PARTITIONS)
    this.#standbys = standbys
    this.#directory = mkdtempSync(join(tmpdir(), 'foreshock-plan-'))
    const verify = createVerifier(loadSigner(this.#directory).publicKey)
    const gate = (command: Command, phase: Phase) => this.#pass(command, phase)
    const fails = ({ action, node }: Command) => action === 'migrate' && this.stuck.has(node)
    this.fleet = new GatedFleet({ bus, topology: this.#topology, verify, gate, fails })
    this.pulse = new ServerPulse(bus, this.#topology, nodes, (node) =>
      spares.includes(node) ? SPARE : FULL,
    )
    const model = writeFeverModel()
    this.#start = () => new ServiceProcess(brokers, prefix, this.#directory, PARTITIONS, model)
    this.#process = this.#start()
  }

  static async start(options: PlanWorldOptions): Promise<PlanWorld> {
    const { brokers, nodes } = options
    const prefix = uniquePrefix('plan')
    const bus = await openKafkaBus({ brokers, clientId: 'plan', prefix })
    await bus.create(topicSpecs(topologyOf(prefix, 'arrival', PARTITIONS)))
    const world = new PlanWorld(options, bus, prefix)
    await world.#process.untilReady(PATIENCE_MS)
    await world.fleet.start()
    await world.pulse.start()
    for (const placement of nodes.flatMap((node) => world.#workloadsOf(node as NodeId))) {
      world.fleet.place(placement)
      const { workload } = placement
      await bus.produce([publicOutput(world.#topology, 'placements', workload, placement)])
    }
    world.#journalReader = await bus.read({
      topic: topicName(world.#topology, 'journal'),
      from: 'start',
    })
    await world.#until(
      () => world.pulse.rounds > 5,
      () => 'the servers beat',
    )
    return world
  }

  async close(): Promise<void> {
    await this.pulse.stop()
    await this.fleet.close()
    this.#process.kill()
    await this.#journalReader?.close()
    await this.#bus.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  /**
   * Its node fails, and whatever is killed meanwhile, its plan ends well and does nothing twice. Work whose
   * standby was out of sight when its turn came, as after a restart, is recovered like any other.
   */
  async survivesFailure(node: string, move: 'recover' | 'promote' = 'recover'): Promise<void> {
    const workloads = this.fleet.workloadsOn(node)
    await this.#untilInSight()
    this.pulse.silence(node)
    await this.fail(node)
    await this.untilClosed(node)
    const told = this.told(node)
    const [data, work] = workloads
    const works = [...new Set([move, 'recover'])].map((way) => `${way} ${work}`)
    expect(told, this.story(node)).toEqual(['fence', `${move} ${data}`, expect.toBeOneOf(works)])
    for (const { action, workload, target } of this.fleet.commands) {
      if (!workloads.includes(workload!)) continue
      expect(this.fleet.nodeOf(workload!)).toBe(target)
      if (action === 'promote') expect(target).toBe(this.#standbys[node])
      expect(this.dead.has(target!)).toBe(false)
    }
    const actions = new Set(told.map((command) => command.split(' ')[0]))
    expect(this.verified(node), this.story(node)).toEqual([...actions].sort())
    expect(this.ends(node), this.story(node)).toEqual(['done'])
    this.#expectEffects(node, told.length)
  }

  /** The process that was started after the last kill has heard of every node again, so that standbys are fit. */
  async #untilInSight(): Promise<void> {
    await this.#process.untilReady(PATIENCE_MS)
    const rounds = this.pulse.rounds + ROUNDS_IN_SIGHT
    await this.#until(
      () => this.pulse.rounds > rounds,
      () => 'the servers beat',
    )
  }

  /** Its node will fail, so its work leaves before; and once it is well, it is let back. */
  async survivesFever(node: string): Promise<void> {
    const moves = this.#movesOf(node, 1)
    this.pulse.heat(node)
    await this.#untilEnded(node, 1)
    this.#expectInOrder(node, ['cordon'], moves)
    expect(this.verified(node), this.story(node)).toEqual(['cordon', 'migrate'])
    expect(this.fleet.workloadsOn(node)).toEqual([])
    this.#expectEffects(node, 1 + moves.length)
    this.pulse.cool(node)
    await this.#untilEnded(node, 2)
    this.#expectInOrder(node, ['cordon', 'uncordon'], moves)
    expect(this.ends(node), this.story(node)).toEqual(['done', 'done'])
    this.#expectEffects(node, 2 + moves.length)
  }

  /** Nothing can leave the node, so what the plan has done is taken back, once; the node keeps its work. */
  async survivesCompensation(node: string, attemptsMax: number): Promise<void> {
    const [workloads, moves] = [this.fleet.workloadsOn(node), this.#movesOf(node, attemptsMax)]
    this.stuck.add(node)
    this.pulse.heat(node)
    await this.#untilEnded(node, 1)
    this.#expectInOrder(node, ['cordon', 'uncordon'], moves)
    expect(this.ends(node), this.story(node)).toEqual(['failed'])
    expect(this.takenBack(node), this.story(node)).toEqual([1])
    this.pulse.cool(node)
    await this.#until(
      () => this.#entries(node, 'incident-closed').length > 0,
      () => `the incident of ${node} ends\n${this.story(node)}`,
    )
    // What its end might send would be here by then.
    const rounds = this.pulse.rounds + ROUNDS_AFTER
    await this.#until(
      () => this.pulse.rounds > rounds,
      () => 'the servers beat',
    )
    this.#expectInOrder(node, ['cordon', 'uncordon'], moves)
    expect(this.fleet.workloadsOn(node)).toEqual(workloads)
    this.#expectEffects(node, 2)
  }

  /** Data first, each so many times. */
  #movesOf(node: string, times: number): readonly string[] {
    return this.fleet
      .workloadsOn(node)
      .flatMap((workload) => Array.from({ length: times }, () => `migrate ${workload}`))
  }

  /** A cordon and moves go different ways; in either there is an order. */
  #expectInOrder(node: string, own: readonly string[], moves: readonly string[]): void {
    const told = this.told(node)
    const isMove = (command: string) => command.startsWith('migrate ')
    expect(told.filter(isMove), this.story(node)).toEqual(moves)
    expect(
      told.filter((command) => !isMove(command)),
      this.story(node),
    ).toEqual(own)
  }

  killAt(node: string, action: CommandAction, phase: Phase): void {
    this.#kill = { node, action, phase }
  }

  /** The failure is confirmed at once, so that nobody waits for silence. */
  async fail(node: string): Promise<void> {
    this.dead.add(node)
    const failure = { kind: 'failure', node, at: Date.now(), failureKind: 'power' }
    await this.#bus.produce([publicOutput(this.#topology, 'events', node, failure)])
  }

  /** Killed in the commit that would send the next commands; the next process is up when it resolves. */
  async dieInCommit(step: CommitStep): Promise<void> {
    await this.#process.dieAt({ role: 'coordinator', step }, PATIENCE_MS)
    this.#process = this.#start()
    await this.#process.untilReady(PATIENCE_MS)
  }

  /** How the plans of the node have ended, by the journal. */
  ends(node: string): readonly string[] {
    return this.#ofPlans(node, 'outcome').map(String)
  }

  /** How many steps each of its plans has taken back. */
  takenBack(node: string): readonly number[] {
    return this.#ofPlans(node, 'stepsTakenBack').map(Number)
  }

  told(node: string): readonly string[] {
    return this.fleet.commands
      .filter((command) => command.node === node)
      .map(({ action, workload }) => (workload === null ? action : `${action} ${workload}`))
  }

  /** Actions on the node that the journal holds as verified, or done where that is the end. */
  verified(node: string): readonly string[] {
    const ended = (text: string) => /^The (\w+).* is (?:verified|succeeded)/.exec(text)?.[1]
    const actions = this.#entries(node, 'result').flatMap(({ reasons }) => ended(reasons[0]) ?? [])
    return [...new Set(actions)].sort()
  }

  story(node: string): string {
    const entries = this.#journal.filter((entry) => entry.node === node)
    return entries.map(({ kind, reasons }) => `${kind}: ${reasons.join(' ')}`).join('\n')
  }

  /** An incident of silence stays open until the node is heard of, or known to have failed. */
  async untilRecovered(node: string): Promise<void> {
    this.dead.add(node)
    const verified = `The recover of workload ${node}-work is verified.`
    await this.#until(
      () => this.#journal.some(({ reasons }) => reasons[0] === verified),
      () => `the work of ${node} is recovered`,
    )
  }

  /**
   * Until the incident that the commands were sent for is closed (other detectors have incidents of their
   * own), and what became of the commands is told: where work is may be known before how a command ended.
   */
  async untilClosed(node: string): Promise<void> {
    const planned = () => this.fleet.commands.find((command) => command.node === node)?.incidentId
    await this.#until(
      () =>
        this.verified(node).length >= 2 &&
        this.#entries(node, 'incident-closed').some(({ incidentId }) => incidentId === planned()),
      () => `the incident of ${node} ends`,
    )
  }

  #untilEnded(node: string, count: number): Promise<void> {
    return this.#until(
      () => this.ends(node).length >= count,
      () =>
        `${count} plans of ${node} have ended; told: ${this.told(node).join()}\n${this.story(node)}`,
    )
  }

  /** However often it was sent, each step took effect once. */
  #expectEffects(node: string, count: number): void {
    const keys = this.fleet.effects.filter((effect) => effect.node === node).map(({ key }) => key)
    expect(new Set(keys).size, keys.join()).toBe(keys.length)
    expect(keys, keys.join()).toHaveLength(count)
  }

  #ofPlans(node: string, what: string): readonly unknown[] {
    return this.#entries(node, 'plan').flatMap(
      ({ evidence }) => evidence.find((piece) => piece.what === what)?.value ?? [],
    )
  }

  #entries(node: string, kind: JournalEntry['kind']): readonly JournalEntry[] {
    return this.#journal.filter((entry) => entry.kind === kind && entry.node === node)
  }

  /** Work, and the data that it depends on. */
  #workloadsOf(node: NodeId): readonly Placement[] {
    const standby = (this.#standbys[node] ?? null) as NodeId | null
    const data = { ...placementOn(node), standby, workload: `${node}-data` as WorkloadId }
    return [data, { ...placementOn(node), standby, dependsOn: [data.workload] }]
  }

  async #pass(command: Command, phase: Phase): Promise<void> {
    const kill = this.#kill
    if (kill === null || command.node !== kill.node) return
    if (command.action !== kill.action || phase !== kill.phase) return
    this.#kill = null
    this.kills.push(`${kill.node} ${kill.action} ${kill.phase}`)
    this.#process.kill()
    this.#process = this.#start()
    await this.#process.untilReady(PATIENCE_MS)
  }

  async #until(condition: () => boolean, what: () => string): Promise<void> {
    const deadlineMs = performance.now() + PATIENCE_MS
    while (!condition()) {
      if (performance.now() > deadlineMs) {
        const said = this.#journal.slice(-5).map(({ kind, reasons }) => `${kind}: ${reasons[0]}`)
        throw new Error(`gave up waiting until ${what()}; journal: ${said.join(' | ')}`)
      }
      const records = (await this.#journalReader?.take(200)) ?? []
      for (const { value } of records) {
        this.#journal.push(JSON.parse(toText(value!)) as JournalEntry)
      }
      if (this.#journalReader === null) await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}
