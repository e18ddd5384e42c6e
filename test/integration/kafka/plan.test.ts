/**
 * Goal: a node dies, and its work comes back elsewhere, in order and verified; and the plan ends as well
 * when the process that coordinates it is killed at any of its steps, with nothing done twice.
 * Method: the whole service in a process of its own on a real broker, executors whose every step waits
 * for the test, and `kill -9` while one of them waits, or within the commit that sends the plan's commands.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import { createVerifier, loadSigner } from '../../../src/config/keys.ts'
import type { Bus, Reader } from '../../../src/core/bus.ts'
import { toText } from '../../../src/core/bytes.ts'
import type { Command, CommandAction, JournalEntry } from '../../../src/core/command.ts'
import type { NodeId, WorkloadId } from '../../../src/core/ids.ts'
import { topicName, topicSpecs, type Topology } from '../../../src/core/topics.ts'
import { ServiceProcess } from '../../support/chaos/process.ts'
import { topologyOf } from '../../support/deployment.ts'
import { GatedFleet, type Phase, PHASES } from '../../support/gated-fleet.ts'
import { kafkaBrokers, uniquePrefix } from '../../support/kafka.ts'
import { placementOn, publicOutput, ServerPulse } from '../../support/server-pulse.ts'

const PATIENCE_MS = 60_000
/** Of a move all, of a fence those that something else waits for. */
const STEPS = [
  ...(['sent', 'succeeded'] as const).map((phase) => ({ action: 'fence' as const, phase })),
  ...PHASES.map((phase) => ({ action: 'recover' as const, phase })),
]
/** Planned and folded, or written and not committed: nobody has seen a command. */
const COMMITS = ['begun', 'offsets'] as const
/** One dies of silence, one at each step, and three are left to take the work. */
const NODES = Array.from({ length: 1 + STEPS.length + COMMITS.length + 3 }, (_, n) => `n${n}`)

const brokers = await kafkaBrokers()

describe.skipIf(brokers === null)('a plan on a real broker', () => {
  let world: PlanWorld

  beforeAll(async () => {
    world = await PlanWorld.start(brokers ?? [])
  })

  afterAll(async () => {
    await world.close()
  })

  test('a node falls silent: it is fenced, and its work runs elsewhere, verified', async () => {
    world.pulse.silence('n0')
    await world.untilRecovered('n0')
    expect(world.told('n0')).toEqual(['fence', 'recover n0-data', 'recover n0-work'])
    expect(NODES.slice(1)).toContain(world.fleet.nodeOf('n0-work'))
    expect(world.verified('n0')).toEqual(['fence', 'recover'])
  })

  test.each(STEPS.map((step, index) => ({ ...step, node: `n${index + 1}` })))(
    'killed when the $action is $phase, the next owner ends the plan and repeats nothing',
    async ({ action, phase, node }) => {
      world.killAt(node, action, phase)
      await world.survives(node)
      expect(world.kills.at(-1)).toBe(`${node} ${action} ${phase}`)
    },
  )

  test.each(COMMITS.map((step, index) => ({ step, node: `n${1 + STEPS.length + index}` })))(
    'killed before its commands are committed ($step), the next owner sends the plan once',
    async ({ step, node }) => {
      const died = world.dieInCommit(step)
      await world.survives(node)
      await died
    },
  )
})

class PlanWorld {
  readonly fleet: GatedFleet
  readonly pulse: ServerPulse
  readonly kills: string[] = []
  readonly dead = new Set<string>()
  readonly #bus: Bus
  readonly #topology: Topology
  readonly #start: () => ServiceProcess
  readonly #directory: string
  readonly #journal: JournalEntry[] = []
  #journalReader: Reader | null = null
  #process: ServiceProcess
  #kill: { readonly node: string; readonly action: CommandAction; readonly phase: Phase } | null =
    null

  private constructor(brokers: readonly string[], bus: Bus, prefix: string) {
    this.#bus = bus
    this.#topology = topologyOf(prefix, 'arrival', 2)
    this.#directory = mkdtempSync(join(tmpdir(), 'foreshock-plan-'))
    const verify = createVerifier(loadSigner(this.#directory).publicKey)
    const gate = (command: Command, phase: Phase) => this.#pass(command, phase)
    this.fleet = new GatedFleet({ bus, topology: this.#topology, verify, gate })
    this.pulse = new ServerPulse(bus, this.#topology, NODES)
    this.#start = () => new ServiceProcess(brokers, prefix, this.#directory, 2)
    this.#process = this.#start()
  }

  /** Its node fails, and whatever is killed meanwhile, its plan ends well and does nothing twice. */
  async survives(node: string): Promise<void> {
    const workloads = this.fleet.workloadsOn(node)
    const before = this.fleet.effects.length
    this.pulse.silence(node)
    await this.fail(node)
    await this.untilClosed(node)
    const told = this.told(node)
    const expected = ['fence', ...workloads.map((workload) => `recover ${workload}`)]
    expect([...told].sort(), this.story(node)).toEqual(expected.sort())
    expect(told[0]).toBe('fence')
    expect(told.indexOf(`recover ${node}-work`)).toBeGreaterThan(
      told.indexOf(`recover ${node}-data`),
    )
    for (const workload of workloads) {
      expect(this.dead.has(this.fleet.nodeOf(workload)!)).toBe(false)
    }
    expect(this.verified(node), this.story(node)).toEqual(['fence', 'recover'])
    expect(this.ends(node), this.story(node)).toEqual(['done'])
    const effects = this.fleet.effects.slice(before)
    expect(new Set(effects).size).toBe(effects.length)
    expect(effects).toHaveLength(told.length)
  }

  static async start(brokers: readonly string[]): Promise<PlanWorld> {
    const prefix = uniquePrefix('plan')
    const bus = await openKafkaBus({ brokers, clientId: 'plan', prefix })
    await bus.create(topicSpecs(topologyOf(prefix, 'arrival', 2)))
    const world = new PlanWorld(brokers, bus, prefix)
    await world.#process.untilReady(PATIENCE_MS)
    await world.fleet.start()
    await world.pulse.start()
    for (const placement of NODES.flatMap((node) => workloadsOf(node as NodeId))) {
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
  async dieInCommit(step: (typeof COMMITS)[number]): Promise<void> {
    await this.#process.dieAt({ role: 'coordinator', step }, PATIENCE_MS)
    this.#process = this.#start()
    await this.#process.untilReady(PATIENCE_MS)
  }

  /** How the plans of the node have ended, by the journal. */
  ends(node: string): readonly string[] {
    return this.#journal
      .filter(({ kind, node: of }) => kind === 'plan' && of === node)
      .flatMap(({ evidence }) => evidence.find(({ what }) => what === 'outcome')?.value ?? [])
      .map(String)
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
    this.dead.add(node)
    const planned = () => this.fleet.commands.find((command) => command.node === node)?.incidentId
    await this.#until(
      () =>
        this.verified(node).length === 2 &&
        this.#journal.some(
          ({ kind, incidentId }) => kind === 'incident-closed' && incidentId === planned(),
        ),
      () =>
        `the incident of ${node} ends; told: ${this.told(node).join(', ')}; verified: ${this.verified(node).join(', ')}`,
    )
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

/** Work, and the data that it depends on. */
function workloadsOf(node: NodeId) {
  const data = { ...placementOn(node), workload: `${node}-data` as WorkloadId }
  return [data, { ...placementOn(node), dependsOn: [data.workload] }]
}
