// Goal: in a pool that is too small, no target is filled over its bound, nothing waits that would fit, and
// the order of the queue is kept, whatever happens.
// Method: random stories in a tight pool, told to a coordinator; the test keeps its own sums.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import type { NodeId } from '../../../src/core/ids.ts'
import type { Priority } from '../../../src/core/workload.ts'
import { PRIORITIES } from '../../../src/decide/waiting-queue.ts'
import { asText, CAPACITY, CoordinatorWorld } from '../../support/coordinator-world.ts'

const NODES = ['n0', 'n1', 'n2', 'n3', 'n4']
const SIZES = [2, 3, 5, 7]
const BOUND = 0.9
const CPU = 8
const POLICY = { budgetRatio: 1, cooldownMs: 0, sharedCauseNodesMin: 1_000, attemptsMax: 50 }

const node = fc.constantFrom(...NODES)
const event = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('fail'), node }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('join'), node }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('veto', 'allow'), node }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('answer'), pick: fc.nat(9) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('after'), ms: fc.integer({ min: 1, max: 9_000 }) }),
  },
)
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never
const workload = fc.record({
  home: node,
  size: fc.constantFrom(...SIZES),
  priority: fc.constantFrom<Priority>(...PRIORITIES),
})
const stories = fc.record({
  workloads: fc.array(workload, { minLength: 1, maxLength: 8 }),
  events: fc.array(event, { minLength: 1, maxLength: 40 }),
})

class Story {
  readonly world = new CoordinatorWorld({
    policy: { ...POLICY, targetLoadMaxRatio: BOUND, recoveryLoadMaxRatio: BOUND, returnRatio: 1 },
  })
  readonly answered = new Set<string>()
  readonly own = new Map<string, { readonly size: number; readonly priority: Priority }>()
  readonly up = new Set<string>()
  readonly vetoed = new Set<string>()

  constructor(workloads: readonly { home: string; size: number; priority: Priority }[]) {
    for (const id of NODES) this.join(id)
    for (const [i, { home, ...own }] of workloads.entries()) {
      this.own.set(`w${i}`, own)
      this.place(`w${i}`, home)
    }
  }

  place(id: string, on: string): void {
    const { size, priority } = this.own.get(id)!
    this.world.place(id, on, { priority, needs: { cpu: size, memoryBytes: 1, gpu: null } })
  }

  size(id: string): number {
    return this.own.get(id)!.size
  }

  join(id: string): void {
    this.up.add(id)
    this.world.after(1)
    this.world.join(id, { capacity: { ...CAPACITY, cpu: CPU } })
  }

  open() {
    return this.world.commands().filter(({ commandId }) => !this.answered.has(commandId))
  }

  play(event: Event): void {
    const { world } = this
    const before = world.outputs.length
    const order = world.waiting()?.waiting ?? []
    if ('ms' in event) world.after(event.ms)
    else if ('pick' in event) this.answer(event.pick)
    else if (event.kind === 'join') this.join(event.node)
    else if (event.kind === 'fail') {
      this.up.delete(event.node)
      world.fail(event.node)
    } else {
      if (event.kind === 'veto') this.vetoed.add(event.node)
      else this.vetoed.delete(event.node)
      const veto = event.kind === 'veto'
      world.control({ kind: 'veto', node: event.node as NodeId, veto })
    }
    const fresh = world.outputs.slice(before)
    const placed = world.commands('recover', fresh).map(({ workload: id }) => id)
    const served = order.filter((each) => placed.includes(each.workload))
    for (const late of served) {
      const place = order.indexOf(late)
      const passed = order.slice(0, place).filter(({ workload: id }) => !placed.includes(id))
      for (const each of passed) {
        // Whoever was passed by needs more, or its own node is not to be touched.
        const isFree = !this.vetoed.has(each.node)
        if (isFree) expect(each.needs.cpu).toBeGreaterThan(late.needs.cpu)
      }
    }
  }

  answer(pick: number): void {
    const open = this.open()
    const command = open[pick % Math.max(1, open.length)]
    if (command === undefined) return
    this.answered.add(command.commandId)
    if (command.workload !== null && command.target !== null) {
      this.world.result(command, 'started')
      this.place(command.workload, command.target)
    }
    this.world.result(command, 'succeeded')
    this.world.result(command, 'verified')
  }

  /** What each node carries by its placements, and by what is on its way to it. */
  loads(): ReadonlyMap<string, number> {
    const loads = new Map<string, number>()
    for (const { workload: id, target } of this.open()) {
      if (id === null || target === null) continue
      loads.set(target, (loads.get(target) ?? 0) + this.size(id))
    }
    for (const [id, at] of this.placements()) {
      loads.set(at, (loads.get(at) ?? 0) + this.size(id))
    }
    return loads
  }

  placements(): ReadonlyMap<string, string> {
    const at = new Map<string, string>()
    for (const { headers, value } of this.world.records) {
      if (headers['kind'] !== 'placement') continue
      const { workload: id, node: on } = JSON.parse(new TextDecoder().decode(value!)) as {
        workload: string
        node: string | null
      }
      if (on === null) at.delete(id)
      else at.set(id, on)
    }
    return at
  }
}

test.prop([stories], { numRuns: 300 })(
  'room is given in the order of the queue, and a log folded again gives the same bytes',
  ({ workloads, events }) => {
    const story = new Story(workloads)
    for (const event of events) story.play(event)
    expect(asText(story.world.refold())).toEqual(asText(story.world.outputs))
  },
)

test.prop([stories], { numRuns: 300 })(
  'when all is answered, what still waits fits nowhere, and no target is over its bound',
  ({ workloads, events }) => {
    const story = new Story(workloads)
    for (const event of events) story.play(event)
    for (let i = 0; i < 400 && story.open().length > 0; i++) story.play({ kind: 'answer', pick: 0 })
    const loads = story.loads()
    const begun = new Set(workloads.map(({ home }) => home))
    for (const [id, load] of loads) {
      // Only what a story put there at its beginning may be too much.
      if (!begun.has(id)) expect(load).toBeLessThanOrEqual(BOUND * CPU + 1e-9)
    }
    for (const { workload: id, node: home } of story.world.waiting()?.waiting ?? []) {
      if (story.vetoed.has(home)) continue
      for (const target of story.up) {
        const isTarget = !story.vetoed.has(target) && story.world.node(target)?.cordoned === false
        if (!isTarget || target === home || story.world.node(target)?.incident !== null) continue
        const after = (loads.get(target) ?? 0) + story.size(id)
        expect(after, `${id} on ${target}`).toBeGreaterThan(BOUND * CPU)
      }
    }
  },
)
