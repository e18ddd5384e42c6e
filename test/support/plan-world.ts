/**
 * The whole service in a process of its own on a real broker, servers whose executors wait for the test at every
 * step, and a `kill -9` of the process while one of them waits, or within the commit that sends its commands.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKafkaBus } from '../../src/bus/kafka/bus.ts'
import type { CommitStep } from '../../src/bus/kafka/client.ts'
import { createVerifier, loadSigner } from '../../src/config/keys.ts'
import type { Bus, Reader } from '../../src/core/bus.ts'
import { toText } from '../../src/core/bytes.ts'
import type { Command, CommandAction, JournalEntry } from '../../src/core/command.ts'
import type { NodeId } from '../../src/core/ids.ts'
import { topicName, topicSpecs, type Topology } from '../../src/core/topics.ts'
import type { Placement } from '../../src/core/workload.ts'
import { ServiceProcess } from './chaos/process.ts'
import { topologyOf } from './deployment.ts'
import { GatedFleet, type Phase } from './gated-fleet.ts'
import { uniquePrefix } from './kafka.ts'
import { publicOutput, ServerPulse } from './server-pulse.ts'

const PATIENCE_MS = 60_000
const PARTITIONS = 2

export interface PlanWorldOptions {
  readonly brokers: readonly string[]
  readonly nodes: readonly string[]
  readonly workloadsOf: (node: NodeId) => readonly Placement[]
  /** Directory of the model of servers; null: nothing is foretold. */
  readonly model?: string
}

interface Kill {
  readonly node: string
  readonly action: CommandAction
  readonly phase: Phase
}

export class PlanWorld {
  readonly fleet: GatedFleet
  readonly pulse: ServerPulse
  /** `NODE ACTION PHASE` of each. */
  readonly kills: string[] = []
  readonly dead = new Set<string>()
  readonly #bus: Bus
  readonly #topology: Topology
  readonly #start: () => ServiceProcess
  readonly #directory: string
  readonly #journal: JournalEntry[] = []
  #journalReader: Reader | null = null
  #process: ServiceProcess
  #kill: Kill | null = null

  private constructor({ brokers, nodes, model }: PlanWorldOptions, bus: Bus, prefix: string) {
    this.#bus = bus
    this.#topology = topologyOf(prefix, 'arrival', PARTITIONS)
    this.#directory = mkdtempSync(join(tmpdir(), 'foreshock-plan-'))
    const verify = createVerifier(loadSigner(this.#directory).publicKey)
    const gate = (command: Command, phase: Phase) => this.#pass(command, phase)
    this.fleet = new GatedFleet({ bus, topology: this.#topology, verify, gate })
    this.pulse = new ServerPulse(bus, this.#topology, nodes)
    this.#start = () => new ServiceProcess(brokers, prefix, this.#directory, PARTITIONS, model)
    this.#process = this.#start()
  }

  static async start(options: PlanWorldOptions): Promise<PlanWorld> {
    const prefix = uniquePrefix('plan')
    const bus = await openKafkaBus({ brokers: options.brokers, clientId: 'plan', prefix })
    await bus.create(topicSpecs(topologyOf(prefix, 'arrival', PARTITIONS)))
    const world = new PlanWorld(options, bus, prefix)
    await world.#process.untilReady(PATIENCE_MS)
    await world.fleet.start()
    await world.pulse.start()
    for (const placement of options.nodes.flatMap((node) => options.workloadsOf(node as NodeId))) {
      world.fleet.place(placement)
      const { workload } = placement
      await bus.produce([publicOutput(world.#topology, 'placements', workload, placement)])
    }
    world.#journalReader = await bus.read({
      topic: topicName(world.#topology, 'journal'),
      from: 'start',
    })
    await world.until(
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

  /** The first command of this action on the node that gets so far kills the service. */
  killAt(node: string, action: CommandAction, phase: Phase): void {
    this.#kill = { node, action, phase }
  }

  /** Killed in the commit that would send the next commands; the next process is up when it resolves. */
  async dieInCommit(step: CommitStep): Promise<void> {
    await this.#process.dieAt({ role: 'coordinator', step }, PATIENCE_MS)
    this.#process = this.#start()
    await this.#process.untilReady(PATIENCE_MS)
  }

  /** It falls silent, and the failure is confirmed at once, so that nobody waits for the silence. */
  async fail(node: string): Promise<void> {
    this.pulse.silence(node)
    this.dead.add(node)
    const failure = { kind: 'failure', node, at: Date.now(), failureKind: 'power' }
    await this.#bus.produce([publicOutput(this.#topology, 'events', node, failure)])
  }

  /** How the plans of the node have ended, by the journal: the strategy and the outcome. */
  ends(node: string): readonly string[] {
    return this.#journal
      .filter(({ kind, node: of }) => kind === 'plan' && of === node)
      .flatMap(({ evidence }) => {
        const said = (name: string) => evidence.find(({ what }) => what === name)?.value
        return said('outcome') === undefined ? [] : [`${said('strategy')} ${said('outcome')}`]
      })
  }

  told(node: string): readonly string[] {
    return this.fleet.commands
      .filter((command) => command.node === node)
      .map(({ action, workload }) => (workload === null ? action : `${action} ${workload}`))
  }

  /** Actions on the node that the journal holds as verified, or done where that is the end. */
  verified(node: string): readonly string[] {
    const ended = (text: string) => /^The (\w+).* is (?:verified|succeeded)/.exec(text)?.[1]
    const actions = this.#journal
      .filter((entry) => entry.kind === 'result' && entry.node === node)
      .flatMap(({ reasons }) => ended(reasons[0]) ?? [])
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
    await this.until(
      () => this.#journal.some(({ reasons }) => reasons[0] === verified),
      () => `the work of ${node} is recovered`,
    )
  }

  /**
   * Until so many actions are told as verified, because where work is may be known before how a command ended,
   * and the incident that the first command was sent for is closed: other detectors have incidents of their own.
   */
  async untilClosed(node: string, verifiedCount: number): Promise<void> {
    const planned = () => this.fleet.commands.find((command) => command.node === node)?.incidentId
    await this.until(
      () =>
        this.verified(node).length >= verifiedCount &&
        this.#journal.some(
          ({ kind, incidentId }) => kind === 'incident-closed' && incidentId === planned(),
        ),
      () =>
        `the incident of ${node} ends; told: ${this.told(node).join(', ')}; verified: ${this.verified(node).join(', ')}`,
    )
  }

  async untilEnded(node: string, end: string): Promise<void> {
    await this.until(
      () => this.ends(node).includes(end),
      () => `a plan of ${node} ends: ${end}; told: ${this.told(node).join(', ')}`,
    )
  }

  async until(condition: () => boolean, what: () => string): Promise<void> {
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
    }
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
}
