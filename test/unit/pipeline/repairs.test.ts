// Goal: counted as they come and go, nodes in repair are those that a look at all of them would find.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import type { NodeId } from '../../../src/core/ids.ts'
import type { Lane } from '../../../src/decide/admission.ts'
import { Repairs } from '../../../src/pipeline/repairs.ts'

const LANES: readonly Lane[] = ['preemptive', 'recovery', 'release']
const NODES = ['a', 'b', 'c', 'd'] as NodeId[]
const change = fc.record({
  what: fc.constantFrom('begin', 'end', 'shield', 'unshield'),
  lane: fc.constantFrom(...LANES),
  node: fc.constantFrom(...NODES),
})

test.prop([fc.array(change, { maxLength: 80 })])('in any order of what happens', (changes) => {
  const repairs = new Repairs()
  const flights: { lane: Lane; node: NodeId }[] = []
  const shielded = new Set<NodeId>()
  for (const { what, lane, node } of changes) {
    if (what === 'begin') {
      flights.push({ lane, node })
      repairs.begin(lane, node)
    } else if (what === 'end') {
      const at = flights.findIndex((flight) => flight.lane === lane && flight.node === node)
      if (at < 0) continue
      flights.splice(at, 1)
      repairs.end(lane, node)
    } else if (what === 'shield') {
      shielded.add(node)
      repairs.shield(node)
    } else expect(repairs.unshield(node)).toBe(shielded.delete(node))
    for (const asked of LANES) {
      const busy = new Set(flights.filter((flight) => flight.lane === asked).map((f) => f.node))
      if (asked === 'preemptive') for (const each of shielded) busy.add(each)
      expect(repairs.count(asked)).toBe(busy.size)
      expect(NODES.filter((each) => repairs.has(asked, each))).toEqual(
        NODES.filter((each) => busy.has(each)),
      )
    }
  }
})
