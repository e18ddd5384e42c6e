// Goal: an index answers as a look at all nodes does, whatever is asked, while loads grow.
// Method: random pools and questions; each answer that has room is taken by both before the next is asked.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import type { NodeId, PoolId, WorkloadId } from '../../../src/core/ids.ts'
import type { Gpu } from '../../../src/core/node.ts'
import type { Placement } from '../../../src/core/workload.ts'
import { PlacementLedger } from '../../../src/decide/ledger.ts'
import { type Candidate, chooseTarget, type PlaceQuestion } from '../../../src/decide/place.ts'
import { TargetIndex } from '../../../src/decide/target-index.ts'

const ZONES = ['a', 'b', null]
const gpu = fc.record({
  model: fc.constantFrom('h100', 'a100'),
  count: fc.integer({ min: 1, max: 4 }),
  interconnect: fc.constantFrom('nvlink', null),
})
const maybeGpu: fc.Arbitrary<Gpu | null> = fc.option(gpu, { freq: 2 })
const candidates = fc.array(
  fc.record({
    zone: fc.constantFrom(...ZONES),
    cpu: fc.integer({ min: 0, max: 16 }),
    memoryBytes: fc.integer({ min: 1, max: 64 }),
    gpu: maybeGpu,
    fit: fc.constantFrom(true, true, true, false),
    known: fc.constantFrom(true, true, true, false),
    latencyMs: fc.option(fc.double({ min: 0, max: 100, noNaN: true })),
    members: fc.nat(2),
  }),
  { minLength: 1, maxLength: 12 },
)
const questions = fc.array(
  fc.record({
    cpu: fc.integer({ min: 0, max: 4 }),
    memoryBytes: fc.integer({ min: 0, max: 16 }),
    gpu: maybeGpu,
    from: fc.nat(13),
    avoided: fc.uniqueArray(fc.nat(13), { maxLength: 4 }),
    troubledZone: fc.constantFrom(...ZONES),
    targetLoadMaxRatio: fc.constantFrom(0.5, 0.9, 1),
    grouped: fc.boolean(),
    near: fc.boolean(),
  }),
  { minLength: 1, maxLength: 30 },
)

test.prop([candidates, questions], { numRuns: 500 })(
  'an index gives the same target for the same reasons as a look at all nodes',
  (nodes, asked) => {
    const known = nodes.map(
      ({ zone, cpu, memoryBytes, gpu: have, fit, known: isKnown }, i): Candidate => ({
        node: `n${i}` as NodeId,
        zone,
        capacity: isKnown ? { cpu, memoryBytes, gpu: have } : null,
        fit,
      }),
    )
    const at = (node: NodeId) => nodes[Number(node.slice(1))]
    const inZone = (zone: string | null) =>
      zone === null ? 0 : nodes.reduce((n, o) => n + (o.zone === zone ? o.members : 0), 0)
    const group = { name: 'g', inZone, onNode: (node: NodeId) => at(node).members }
    const nearness = { to: 'node x', latencyMs: (node: NodeId) => at(node).latencyMs }
    const ledger = new PlacementLedger()
    const loadOf = (node: NodeId) => ledger.load(node)
    const index = new TargetIndex(known, loadOf)
    for (const [
      i,
      { cpu, memoryBytes, gpu: wanted, from, avoided, grouped, near, ...rest },
    ] of asked.entries()) {
      const workload = `w${i}` as WorkloadId
      const needs = { cpu, memoryBytes, gpu: wanted }
      const question: PlaceQuestion = {
        ...rest,
        workload,
        needs,
        from: `n${from}` as NodeId,
        avoided: avoided.map((node) => `n${node}` as NodeId),
        group: grouped ? group : null,
        nearness: near ? nearness : null,
      }
      const expected = chooseTarget(question, known, loadOf)
      expect(index.choose(question)).toEqual(expected)
      if (!expected.ok) continue
      const pool = 'p' as PoolId
      const placement = { workload, node: expected.target, pool, priority: 'NORMAL', needs }
      ledger.place({ ...placement, stateBytes: 0, dependsOn: [] } as Placement)
    }
  },
)

const crowds = fc.record({
  counts: fc.array(fc.integer({ min: 0, max: 90 }), { minLength: 4, maxLength: 4 }),
  needs: fc.array(fc.integer({ min: 0, max: 8 }), { minLength: 1, maxLength: 40 }),
})

test.prop([crowds], { numRuns: 100 })(
  'among many nodes that are alike an index draws as a look at all of them does',
  ({ counts, needs }) => {
    const kinds = counts.flatMap((count, kind) => Array.from({ length: count }, () => kind))
    const nodes = kinds.map((kind, i): Candidate => ({
      node: `n${i}` as NodeId,
      zone: ZONES[kind % 2],
      capacity: { cpu: 16 << (kind >> 1), memoryBytes: 64, gpu: null },
      fit: i % 10 !== 9,
    }))
    const ledger = new PlacementLedger()
    const loadOf = (node: NodeId) => ledger.load(node)
    const index = new TargetIndex(nodes, loadOf)
    for (const [i, cpu] of needs.entries()) {
      const workload = `w${i}` as WorkloadId
      const own = { workload, needs: { cpu, memoryBytes: 1, gpu: null } }
      const question = { ...own, from: 'n0' as NodeId, troubledZone: 'b', targetLoadMaxRatio: 0.9 }
      const expected = chooseTarget(question, nodes, loadOf)
      expect(index.choose(question)).toEqual(expected)
      if (!expected.ok) continue
      const at = { node: expected.target, pool: 'p' as PoolId, priority: 'LOW' as const }
      ledger.place({ ...own, ...at, stateBytes: 0, dependsOn: [] })
    }
  },
)
