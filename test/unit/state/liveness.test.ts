import { describe, expect, test } from 'vitest'
import { deviationsAt, phiOf } from '../../../src/state/phi.ts'
import { PROBE, samplesIpc } from '../../support/node-class.ts'
import { newTable, OBSERVED } from '../../support/node-program.ts'
import type { NodeId } from '../../../src/core/ids.ts'
import type { NodeTable } from '../../../src/state/node-table.ts'

const node = 'a' as NodeId

function beat(table: NodeTable, appendedAtMs: number, observed = { atMs: appendedAtMs }): void {
  table.foldEvent({ kind: 'heartbeat', node, atMs: appendedAtMs, component: null }, appendedAtMs, {
    watermarkMs: appendedAtMs,
    ...observed,
  })
}

describe('silence', () => {
  test('begins after more than three heartbeat intervals, is told once, and ends with a life sign', () => {
    const table = newTable()
    beat(table, 100_000)
    expect(table.sweep(115_000)).toEqual({ silent: [], live: [] })
    expect(table.sweep(115_001)).toEqual({ silent: [0], live: [] })
    expect(table.isSilent(0)).toBe(true)
    expect(table.sweep(120_000)).toEqual({ silent: [], live: [] })
    beat(table, 121_000)
    expect(table.sweep(121_000)).toEqual({ silent: [], live: [0] })
    expect(table.isSilent(0)).toBe(false)
  })

  test('never begins for a class without heartbeats', () => {
    const table = newTable({ ...PROBE, heartbeatIntervalMs: null })
    beat(table, 0)
    expect(table.sweep(1e12)).toEqual({ silent: [], live: [] })
    expect(table.missedHeartbeats(0, 1e12)).toBe(0)
  })

  test('counts observed time, however old the record was when we folded it', () => {
    const table = newTable()
    beat(table, 100_000, { atMs: 5_000 })
    expect(table.lastSeenAtMs(0)).toBe(100_000)
    expect(table.silentForMs(0, 9_000)).toBe(4_000)
    expect(table.missedHeartbeats(0, 16_000)).toBe(2)
  })

  test.each([
    { ahead: 1_500, expected: 1_500, because: 'what came after the watermark was seen later' },
    {
      ahead: 60_000,
      expected: 2_000,
      because: 'a record ahead of the watermark moves 2 s at most',
    },
    { ahead: -60_000, expected: 0, because: 'what the watermark covers was seen by then' },
  ])('a record $ahead ms after the watermark moves the life sign $expected ms: $because', (c) => {
    const table = newTable()
    const event = { kind: 'heartbeat', node, atMs: 0, component: null } as const
    table.foldEvent(event, 100_000 + c.ahead, { atMs: 10_000, watermarkMs: 100_000 })
    expect(table.silentForMs(0, 20_000)).toBe(10_000 - c.expected)
  })

  test('ends with late, repeated and empty samples too: they are signs of life', () => {
    const table = newTable()
    const sample = { node, at: 1_000, appendedAt: 0, metrics: {} }
    for (const atMs of [0, 10_000, 20_000]) {
      table.load(samplesIpc(PROBE, [sample]))
      table.fold({ atMs, watermarkMs: 0 })
    }
    expect(table.counts()).toMatchObject({ rows: 3, folded: 1, late: 2 })
    expect(table.silentForMs(0, 21_000)).toBe(1_000)
  })

  test('is forgotten with the node', () => {
    const table = newTable()
    beat(table, 0)
    table.foldEvent({ kind: 'failure', node, atMs: 1, failureKind: 'crash' }, 1, OBSERVED)
    expect(table.sweep(1e9)).toEqual({ silent: [], live: [] })
    expect(table.nodeCount).toBe(0)
  })
})

describe('phi', () => {
  test('is 0.3 at the mean, for half of all gaps are longer', () => {
    expect(phiOf(5_000, 5_000, 1e6)).toBeCloseTo(Math.log10(2), 6)
  })

  test.each([
    { deviations: 1.2816, phi: 1 },
    { deviations: 2.3263, phi: 2 },
    { deviations: 3.0902, phi: 3 },
  ])('is $phi at $deviations standard deviations over the mean', ({ deviations, phi }) => {
    expect(Math.abs(phiOf(10_000 + deviations * 3_000, 10_000, 9e6) - phi)).toBeLessThan(0.05)
  })

  test('stays finite after a year, and rises on the way', () => {
    const phis = [0, 5_000, 6_000, 10_000, 60_000, 3e10].map((ms) => phiOf(ms, 5_000, 0))
    expect(phis).toEqual([...phis].sort((a, b) => a - b))
    expect(phis.every(Number.isFinite)).toBe(true)
  })

  test.each([0.05, 0.3, 1, 3, 8, 12, 16])('of %s is reached after so many deviations', (phi) => {
    const [mean, deviation] = [8_000, 4_000]
    const gap = mean + deviationsAt(phi) * deviation
    expect(phiOf(gap, mean, deviation ** 2)).toBeCloseTo(phi, 9)
  })

  test('tells who is suspect: quiet for longer than an interval and its habit, and not silent', () => {
    const table = newTable()
    const names = ['steady', 'slow', 'ragged', 'young'] as NodeId[]
    const at = (name: NodeId, atMs: number) =>
      table.foldEvent({ kind: 'heartbeat', node: name, atMs, component: null }, atMs, {
        watermarkMs: atMs,
        atMs,
      })
    for (let n = 0; n <= 200; n++) {
      at(names[0], n * 2_000)
      at(names[1], n * 4_000 - 400_000)
      at(names[2], n * 3_000 + (n % 3) * 900 - 201_800)
    }
    at(names[3], 400_000)
    let seen = 0
    for (let nowMs = 400_000; nowMs < 425_000; nowMs += 250) {
      table.sweep(nowMs)
      for (const limit of [0.5, 2, 8]) {
        const expected = names.flatMap((_, index) => {
          const isQuiet = table.silentForMs(index, nowMs) > (PROBE.heartbeatIntervalMs ?? 0)
          return isQuiet && !table.isSilent(index) && table.phi(index, nowMs) >= limit
            ? [index]
            : []
        })
        expect([...table.suspects(nowMs, limit)]).toEqual(expected)
        seen += expected.length
      }
    }
    expect(seen).toBeGreaterThan(50)
  })

  test('learns the rhythm of a node: a slow sender is less suspect', () => {
    const [slow, quick] = [newTable(), newTable()]
    for (let n = 0; n <= 50; n++) {
      beat(slow, n * 8_000)
      beat(quick, 350_000 + n * 1_000)
    }
    expect(slow.phi(0, 410_000)).toBeLessThan(quick.phi(0, 410_000))
  })
})
