import { describe, expect, test } from 'vitest'
import type { NodeId, WorkloadId } from '../../../src/core/ids.ts'
import type { Gpu } from '../../../src/core/node.ts'
import type { Load } from '../../../src/decide/ledger.ts'
import { type Candidate, chooseTarget, type PlaceQuestion } from '../../../src/decide/place.ts'

const IDLE: Load = { cpu: 0, memoryBytes: 0, gpuCount: 0 }
const GPUS: Gpu = { model: 'h100', count: 4, interconnect: 'nvlink' }

function candidate(node: string, more: Partial<Candidate> & { gpu?: Gpu } = {}): Candidate {
  const { gpu = null, ...rest } = more
  const capacity = { cpu: 10, memoryBytes: 100, gpu }
  return { node: node as NodeId, zone: 'a', capacity, fit: true, ...rest }
}

function question(more: Partial<PlaceQuestion> = {}, gpu: Gpu | null = null): PlaceQuestion {
  return {
    workload: 'w' as WorkloadId,
    needs: { cpu: 1, memoryBytes: 10, gpu },
    from: 'old' as NodeId,
    troubledZone: null,
    targetLoadMaxRatio: 0.9,
    ...more,
  }
}

function chosen(
  asked: PlaceQuestion,
  candidates: readonly Candidate[],
  loads: Readonly<Record<string, Partial<Load>>> = {},
): string {
  const choice = chooseTarget(asked, candidates, (node) => ({ ...IDLE, ...loads[node] }))
  return choice.ok ? choice.target : choice.why
}

interface Case {
  readonly because: string
  readonly expected: string
  readonly candidates: readonly Candidate[]
  readonly loads: Readonly<Record<string, Partial<Load>>>
}

describe('the target is', () => {
  test.each<Case>([
    {
      because: 'it is the least loaded',
      expected: 'y',
      candidates: [candidate('x'), candidate('y')],
      loads: { x: { cpu: 5 }, y: { cpu: 2 } },
    },
    {
      because: 'memory can be the fuller side',
      expected: 'x',
      candidates: [candidate('x'), candidate('y')],
      loads: { x: { cpu: 5 }, y: { cpu: 2, memoryBytes: 70 } },
    },
    {
      because: 'the other is not fit',
      expected: 'x',
      candidates: [candidate('x'), candidate('y', { fit: false })],
      loads: { x: { cpu: 5 } },
    },
    {
      because: 'the other never said what room it has',
      expected: 'x',
      candidates: [candidate('x'), candidate('y', { capacity: null })],
      loads: { x: { cpu: 5 } },
    },
    {
      because: 'GPU nodes are kept for GPU work',
      expected: 'x',
      candidates: [candidate('x'), candidate('y', { gpu: GPUS })],
      loads: { x: { cpu: 5 } },
    },
    {
      because: 'a workload does not move to where it is',
      expected: 'x',
      candidates: [candidate('x'), candidate('old')],
      loads: { x: { cpu: 5 } },
    },
  ])('$expected, because $because', ({ expected, candidates, loads }) => {
    expect(chosen(question(), candidates, loads)).toBe(expected)
  })

  test('in another zone, where the old one has more trouble', () => {
    const candidates = [candidate('x'), candidate('y', { zone: 'b' })]
    const loads = { y: { cpu: 5 } }
    expect(chosen(question(), candidates, loads)).toBe('x')
    expect(chosen(question({ troubledZone: 'a' }), candidates, loads)).toBe('y')
  })

  test('exactly full at the limit, and no fuller', () => {
    const loads = { x: { cpu: 8 } }
    expect(chosen(question(), [candidate('x')], loads)).toBe('x')
    const why = chosen(question({ targetLoadMaxRatio: 0.89 }), [candidate('x')], loads)
    expect(why).toBe('none of 1 other nodes can take it: 0 are unfit, 1 would pass 89 % load')
  })
})

describe('a GPU workload goes only where', () => {
  const wanted: Gpu = { model: 'h100', count: 2, interconnect: 'nvlink' }
  test.each([
    { because: 'model, count and interconnect are there', gpu: GPUS, used: 0, fits: true },
    { because: 'two are free', gpu: GPUS, used: 2, fits: true },
    { because: 'enough are free', gpu: GPUS, used: 3, fits: false },
    { because: 'the model is the same', gpu: { ...GPUS, model: 'a100' }, used: 0, fits: false },
    {
      because: 'the interconnect is the same',
      gpu: { ...GPUS, interconnect: null },
      used: 0,
      fits: false,
    },
    { because: 'there are GPUs at all', gpu: undefined, used: 0, fits: false },
  ])('$because ($fits)', ({ gpu, used, fits }) => {
    const target = candidate('x', gpu === undefined ? {} : { gpu })
    const answer = chosen(question({}, wanted), [target], { x: { gpuCount: used } })
    if (fits) expect(answer).toBe('x')
    else expect(answer).toContain('1 lack 2 free h100 GPUs')
  })
})

test('equal nodes share the work, and one that goes changes only the choices that fell on it', () => {
  const nodes = ['a', 'b', 'c', 'd', 'e'].map((node) => candidate(node))
  const workloads = Array.from({ length: 200 }, (_, i) => `w${i}` as WorkloadId)
  const pick = (candidates: readonly Candidate[]) =>
    workloads.map((workload) => chosen(question({ workload }), candidates))
  const before = pick(nodes)
  for (const { node } of nodes) {
    expect(before.filter((target) => target === node).length).toBeGreaterThan(20)
  }
  const after = pick(nodes.slice(1))
  for (const [i, target] of before.entries()) if (target !== 'a') expect(after[i]).toBe(target)
})

describe('what a workload is best near to, and away from', () => {
  const near = (latencies: Readonly<Record<string, number>>) => ({
    to: 'node db, where what it depends on runs',
    latencyMs: (node: NodeId) => latencies[node] ?? null,
  })
  const pair = [candidate('x'), candidate('y', { zone: 'b' })]

  test('the nearer of two that carry the same takes it, and the decision says how near it is', () => {
    const asked = question({ nearness: near({ x: 30, y: 0.4 }) })
    const choice = chooseTarget(asked, pair, () => IDLE)
    expect(choice).toEqual({
      ok: true,
      target: 'y',
      why: 'Node y is the best that can take it: 10 % load with it, of at most 90 %; 0.4 ms from node db, where what it depends on runs.',
    })
  })

  test('nearness counts as much as load: one that is much emptier wins over one that is a little nearer', () => {
    const asked = question({ nearness: near({ x: 3, y: 0.5 }) })
    expect(chosen(asked, pair, { y: { cpu: 1 } })).toBe('y')
    expect(chosen(asked, pair, { y: { cpu: 6 } })).toBe('x')
  })

  test('what nobody has measured is taken for the furthest', () => {
    expect(chosen(question({ nearness: near({ y: 40 }) }), pair)).toBe('y')
  })

  const members = (
    zones: Readonly<Record<string, number>>,
    nodes: Readonly<Record<string, number>>,
  ) => ({
    name: 'web',
    inZone: (zone: string | null) => (zone === null ? 0 : (zones[zone] ?? 0)),
    onNode: (node: NodeId) => nodes[node] ?? 0,
  })

  test('a zone with fewer of its group is better, however full', () => {
    const group = members({ a: 1 }, { z: 1 })
    const choice = chooseTarget(question({ group }), pair, (node) => ({
      ...IDLE,
      cpu: node === 'y' ? 7 : 0,
    }))
    expect(choice).toMatchObject({ ok: true, target: 'y' })
    expect(choice.why).toContain('its zone b has 0 others of group web')
  })

  test('in one zone a node without others of its group is better, and one with them better than none', () => {
    const group = members({ a: 1 }, { x: 1 })
    const both = [candidate('x'), candidate('z')]
    expect(chosen(question({ group }), both, { z: { cpu: 7 } })).toBe('z')
    expect(chosen(question({ group }), [candidate('x')])).toBe('x')
  })

  test('neither makes a target of a node that is full', () => {
    const asked = question({ nearness: near({ y: 0.1 }), group: members({ a: 9 }, {}) })
    expect(chosen(asked, pair, { y: { cpu: 9 } })).toBe('x')
  })
})
