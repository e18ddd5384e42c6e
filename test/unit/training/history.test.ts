import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { isServiceError } from '../../../src/core/errors.ts'
import { openHistory } from '../../../training/history.ts'
import { nodeHash, readManifest, sliceOf } from '../../../training/manifest.ts'
import {
  SMALL_CLASS,
  SMALL_MANIFEST,
  SMALL_NODES,
  smallManifest,
  writeSmallHistory,
} from '../../support/small-history.ts'

let directory: string
beforeAll(() => {
  directory = writeSmallHistory()
})

async function failure(attempt: () => unknown): Promise<{ code: string; message: string }> {
  try {
    await attempt()
  } catch (error) {
    if (isServiceError(error)) return { code: error.code, message: error.message }
    throw error
  }
  throw new Error('it did not fail')
}

describe('a manifest', () => {
  test('of the repository is valid, with its units resolved', () => {
    const manifest = readManifest('training/histories/backblaze.toml')
    expect(manifest).toMatchObject({
      name: 'backblaze',
      nodeClass: 'drive',
      horizonMs: 30 * 86_400_000,
    })
    expect(manifest.sql.telemetry).not.toContain('t_stop')
  })

  test.each([
    {
      change: ['horizon = "30d"', 'horizon = "soon"'],
      says: /small\.toml: `horizon`: "soon" is no duration/,
    },
    {
      change: ['fit = 60', 'fit = 75'],
      says: /`split`: fit, calibration and validation must rise/,
    },
    { change: ['[training]', 'unknown = 1\n[training]'], says: /unknown/ },
    { change: ['files = ["samples.csv", "events.csv"]', 'files = []'], says: /`files`/ },
    { change: ['name = "small"', 'name = '], says: /small\.toml: not TOML/ },
  ])('with $change.1 is refused', async ({ change, says }) => {
    const { code, message } = await failure(() =>
      smallManifest(SMALL_MANIFEST.replace(change[0], change[1])),
    )
    expect(code).toBe('HISTORY_INVALID')
    expect(message).toMatch(says)
  })

  test('that is missing is named', async () => {
    const { message } = await failure(() => readManifest('nowhere/none.toml'))
    expect(message).toContain('nowhere/none.toml: cannot be read')
  })

  test('splits by the first 32 bits of the SHA-256 of the node', () => {
    // printf drive-0 | sha256sum
    expect(nodeHash('drive-0').toString(16).padStart(8, '0')).toHaveLength(8)
    expect(nodeHash('abc')).toBe(0xba7816bf)
    expect(sliceOf(smallManifest(), 59)).toBe('fit')
    expect(sliceOf(smallManifest(), 160)).toBe('calibration')
    expect(sliceOf(smallManifest(), 79)).toBe('validation')
    expect(sliceOf(smallManifest(), 80)).toBe('test')
  })
})

describe('a history', () => {
  test('streams samples in time order, missing values as NaN, and its events', async () => {
    const history = await openHistory(smallManifest(), SMALL_CLASS, directory)
    let [count, lastAtMs] = [0, -Infinity]
    for await (const rows of history.samples()) {
      count += rows.count
      expect(rows.columns).toHaveLength(2)
      for (const atMs of rows.atMs) {
        expect(atMs).toBeGreaterThanOrEqual(lastAtMs)
        lastAtMs = atMs
      }
    }
    expect(count).toBe(history.sampleCount)
    expect(history.events).toHaveLength(2 * SMALL_NODES)
    expect(history.events[0]).toMatchObject({
      kind: 'join',
      node: 'drive-0',
      labels: { maker: 'a' },
    })
    history.close()
  })

  test('has labels, errors, lives for learning only and failures out of sight', async () => {
    const events = `SELECT * FROM (VALUES
      ('d', 10, 'join', 'true', NULL, NULL, 'a'), ('d', 20, 'labels', NULL, NULL, NULL, 'b'),
      ('d', 30, 'error', NULL, 'E1', NULL, NULL), ('d', 40, 'leave', NULL, NULL, 90, NULL)
    ) AS events(node, "at", kind, only_fit, code, known_until, maker)`
    const from = /^events = .*$/m
    const manifest = smallManifest(SMALL_MANIFEST.replace(from, `events = """${events}"""`))
    const history = await openHistory(manifest, SMALL_CLASS, directory)
    history.close()
    expect(history.events).toMatchObject([
      { kind: 'join', onlyFit: true, labels: { maker: 'a' } },
      { kind: 'labels', atMs: 20, labels: { maker: 'b' } },
      { kind: 'error', code: 'E1' },
      { kind: 'leave', knownUntilMs: 90 },
    ])
    expect(history.events[1]).toEqual({
      kind: 'labels',
      node: 'd',
      atMs: 20,
      labels: { maker: 'b' },
    })
  })

  test('leaves its directory as it was', async () => {
    const before = readdirSync(directory).sort()
    const history = await openHistory(smallManifest(), SMALL_CLASS, directory)
    for await (const _ of history.samples());
    history.close()
    expect(readdirSync(directory).sort()).toEqual(before)
  })

  test('in an empty directory names the path and the mend', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'foreshock-empty-'))
    const { code, message } = await failure(() => openHistory(smallManifest(), SMALL_CLASS, empty))
    expect(code).toBe('HISTORY_EMPTY')
    expect(message).toContain(join(empty, 'samples.csv'))
    expect(message).toContain('point --data at the directory')
  })

  test('without a row says so', async () => {
    const from = "FROM read_csv('{data}/samples.csv')"
    const manifest = smallManifest(SMALL_MANIFEST.replace(from, `${from} WHERE false`))
    const { code } = await failure(() => openHistory(manifest, SMALL_CLASS, directory))
    expect(code).toBe('HISTORY_EMPTY')
  })

  const outside = mkdtempSync(join(tmpdir(), 'foreshock-outside-'))
  writeFileSync(join(outside, 'secret.csv'), 'node,at,pending,noise\nn,1,1,1\n')

  test.each([
    {
      from: 'pending, noise FROM',
      to: 'pending FROM',
      says: /missing noise/,
      because: 'a metric is missing',
    },
    {
      from: 'pending, noise FROM',
      to: 'pending, noise, 1 AS more FROM',
      says: /not of the class: more/,
      because: 'a column is unknown',
    },
    {
      from: '{data}/samples.csv',
      to: '{data}/other.csv',
      says: /`sql\.telemetry` fails/,
      because: 'its file is missing',
    },
    {
      from: '{data}/samples.csv',
      to: `${outside}/secret.csv`,
      says: /`sql\.telemetry` fails/,
      because: 'it reads outside its directory',
    },
    {
      from: "read_csv('{data}/samples.csv')",
      to: "read_csv('https://example.com/x.csv')",
      says: /`sql\.telemetry` fails/,
      because: 'it reaches for the network',
    },
    {
      from: 'SELECT node, "at", kind, maker',
      to: 'SELECT node, "at", \'dies\' AS kind',
      says: /kind "dies"/,
      because: 'a kind of event is unknown',
    },
  ])('is refused when $because', async ({ from, to, says }) => {
    const manifest = smallManifest(SMALL_MANIFEST.replace(from, to))
    const { code, message } = await failure(() => openHistory(manifest, SMALL_CLASS, directory))
    expect(code).toBe('HISTORY_INVALID')
    expect(message).toMatch(says)
  })
})
