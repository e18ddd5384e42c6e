import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { writeHistory } from '../../../src/fleet/history.ts'
import { METRICS } from '../../../src/fleet/signals.ts'
import { START_MS } from '../../support/fleet-world.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'foreshock-history-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function rows(file: string): readonly string[][] {
  const lines = readFileSync(join(directory, file), 'utf8').trimEnd().split('\n')
  return lines.map((line) => line.split(','))
}

test('a history holds each sample, failure and end once, in its columns', () => {
  const options = { seed: 1, nodeCount: 40, hours: 2, directory, startMs: START_MS }
  const summary = writeHistory({ ...options, stepMs: 15_000, failureRateFactor: 4 })
  const [header, ...samples] = rows('telemetry.csv')
  expect(header).toEqual(['node', 'at', ...METRICS])
  expect(samples).toHaveLength(summary.sampleCount)
  expect(samples.every((sample) => sample.length === header.length)).toBe(true)
  const [, ...events] = rows('events.csv')
  const count = (kind: string): number => events.filter((event) => event[2] === kind).length
  const failureCount = Object.values(summary.failures).reduce((sum, n) => sum + n, 0)
  expect(failureCount).toBeGreaterThan(5)
  // A failure is confirmed a minute after it, so the last ones may be missing.
  expect(failureCount - count('failure')).toBeLessThanOrEqual(1)
  expect(count('join')).toBeGreaterThan(40)
  expect(events.every((event) => event.length === 8)).toBe(true)
})

test('an interrupted run leaves no file behind', () => {
  const signal = AbortSignal.abort()
  const options = { seed: 3, nodeCount: 5, hours: 1, directory, startMs: START_MS, signal }
  expect(() => writeHistory(options)).toThrow('interrupted')
  expect(readdirSync(directory)).toEqual([])
})
