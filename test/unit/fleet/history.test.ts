import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HISTORY_START_MS, writeHistory } from '../../../src/fleet/history.ts'
import { readManifest } from '../../../training/manifest.ts'
import { METRICS } from '../../../src/fleet/signals.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'foreshock-history-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function rows(file: string): readonly string[][] {
  const lines = readFileSync(join(directory, file), 'utf8').trimEnd().split('\n')
  return lines.map((line) => line.split(','))
}

test('a history holds each sample, failure and end once, in its columns', async () => {
  const phases = [
    { failures: 'training', hours: 1.5 },
    { failures: 'held-out', hours: 1.5 },
  ] as const
  const options = { seed: 1, nodeCount: 40, phases, directory }
  const summary = await writeHistory({ ...options, stepMs: 15_000, failureRateFactor: 4 })
  const [header, ...samples] = rows('telemetry.csv')
  expect(header).toEqual(['node', 'at', ...METRICS])
  expect(samples).toHaveLength(summary.sampleCount)
  expect(samples.every((sample) => sample.length === header.length)).toBe(true)
  const [, ...events] = rows('events.csv')
  const count = (kind: string): number => events.filter((event) => event[2] === kind).length
  const failureCount = Object.values(summary.failures).reduce((sum, n) => sum + n, 0)
  expect(failureCount).toBeGreaterThan(5)
  expect(count('failure')).toBe(failureCount)
  expect(count('join')).toBeGreaterThan(80)
  expect(count('leave')).toBeGreaterThan(40)
  expect(events.every((event) => event.length === 8)).toBe(true)
})

test('an interrupted run leaves no file behind', async () => {
  const signal = AbortSignal.abort()
  const options = { seed: 3, nodeCount: 5, directory, signal }
  await expect(writeHistory(options)).rejects.toThrow('interrupted')
  expect(readdirSync(directory)).toEqual([])
})

test('the manifest divides what is learned from what is only tested, and is read', () => {
  const file = join(import.meta.dirname, '../../../training/histories/fleet.toml')
  const manifest = readManifest(file)
  expect(manifest.trainUntilMs).toBe(HISTORY_START_MS + 24 * 3_600_000)
  expect(manifest.files).toEqual(['telemetry.csv', 'events.csv'])
})
