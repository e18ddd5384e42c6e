// Goal: an anomaly manifest is read, each node is learned from itself and judged, and what is wrong is said.
// Method: small files made in a folder of their own, with jumps where the labels are.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isServiceError } from '../../../../src/core/errors.ts'
import { partOf, rowOf, type Series } from '../../../../src/detect/anomaly/series.ts'
import { backtestAnomalies } from '../../../../training/anomaly/backtest.ts'
import { isAnomalyManifest, readAnomalyManifest } from '../../../../training/anomaly/manifest.ts'
import { makeSeries } from '../../../support/made-series.ts'

const MANIFEST = 'training/histories/smd.toml'
const TRAIN = 2_000
const TEST = 1_000
const ANOMALY = { first: 600, last: 640 }

function csv(series: Series, labels: readonly number[] | null): string {
  const names = Array.from({ length: series.metricCount }, (_, m) => `m${m}`)
  const lines = [[...names, ...(labels === null ? [] : ['label'])].join(',')]
  for (let i = 0; i < series.sampleCount; i++) {
    lines.push([...rowOf(series, i), ...(labels === null ? [] : [labels[i]])].join(','))
  }
  return `${lines.join('\n')}\n`
}

function writeNode(directory: string, node: string, seed: number, trainCount = TRAIN): void {
  const whole = makeSeries({
    sampleCount: TRAIN + TEST,
    metricCount: 4,
    seed,
    samplesPerDay: 1_440,
  })
  const test = partOf(whole, TRAIN, TRAIN + TEST)
  const labels = Array.from({ length: TEST }, (_, i) =>
    i >= ANOMALY.first && i <= ANOMALY.last ? 1 : 0,
  )
  for (let i = ANOMALY.first; i <= ANOMALY.last; i++) rowOf(test, i)[1] += 0.4
  const train = partOf(whole, TRAIN - trainCount, TRAIN)
  writeFileSync(join(directory, `${node}_train.csv`), csv(train, null))
  writeFileSync(join(directory, `${node}_test.csv`), csv(test, labels))
}

function folder(): string {
  return mkdtempSync(join(tmpdir(), 'anomalies-'))
}

function backtest(dataDir: string, signal?: AbortSignal) {
  const manifest = readAnomalyManifest(MANIFEST)
  return backtestAnomalies({ manifest, dataDir, ...(signal === undefined ? {} : { signal }) })
}

async function failure(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt
  } catch (error) {
    if (isServiceError(error)) return `${error.code}: ${error.message}`
    throw error
  }
  throw new Error('it did not fail')
}

test('every node is judged by what it was itself, and one that is too new says so', async () => {
  const directory = folder()
  writeNode(directory, 'a', 1)
  writeNode(directory, 'b', 2)
  writeNode(directory, 'new', 3, 100)
  const progress: string[] = []
  const result = await backtestAnomalies({
    manifest: readAnomalyManifest(MANIFEST),
    dataDir: directory,
    onProgress: (_, node) => progress.push(node),
  })
  expect(progress).toEqual(['a', 'b', 'new'])
  expect(result.nodes.map(({ node }) => node)).toEqual(['a', 'b'])
  expect(result.warmingUp).toEqual(['new'])
  for (const node of result.nodes) {
    expect(node.eventCount).toBe(1)
    expect(node.vusPr).toBeGreaterThan(0.5)
    expect(node.rocAuc).toBeGreaterThan(0.9)
    expect(node.eventRecall).toBe(1)
  }
  const [a, b] = result.nodes
  expect(result.means.vusPr).toBeCloseTo((a.vusPr + b.vusPr) / 2, 12)
})

test('other nodes change nothing about a node', async () => {
  const [alone, together] = [folder(), folder()]
  writeNode(alone, 'a', 1)
  writeNode(together, 'a', 1)
  writeNode(together, 'b', 2)
  const [first, second] = [await backtest(alone), await backtest(together)]
  expect(second.nodes[0]).toEqual(first.nodes[0])
})

test('what is wrong with data names the history, the node and the mend', async () => {
  expect(await failure(backtest(folder()))).toMatch(/HISTORY_EMPTY.*`smd` finds no node/)
  const young = folder()
  writeNode(young, 'a', 1, 100)
  expect(await failure(backtest(young))).toMatch(/HISTORY_EMPTY.*warm-up.*at least 240/)
  const odd = folder()
  writeNode(odd, 'a', 1)
  writeFileSync(join(odd, 'a_test.csv'), 'm0,m1,m2,other\n1,2,3,4\n')
  expect(await failure(backtest(odd))).toMatch(/node a: .*missing m3, label; not in train: other/)
})

test('it stops between nodes when it is told to', async () => {
  const directory = folder()
  writeNode(directory, 'a', 1)
  const stop = new AbortController()
  stop.abort()
  expect(await failure(backtest(directory, stop.signal))).toMatch(/INTERRUPTED/)
})

test('manifests tell their kind', () => {
  expect(isAnomalyManifest(MANIFEST)).toBe(true)
  expect(isAnomalyManifest('training/histories/backblaze.toml')).toBe(false)
  expect(readAnomalyManifest('training/histories/asd.toml')).toMatchObject({
    sampleIntervalMs: 300_000,
    falseRunsPerDay: 0.2,
  })
})

test('a manifest that is wrong names its file and key', async () => {
  const file = join(folder(), 'odd.toml')
  writeFileSync(
    file,
    'name = "odd"\nkind = "anomaly"\nsample_interval = "1m"\n[sql]\nnodes = "x"\n',
  )
  const read = Promise.resolve().then(() => readAnomalyManifest(file))
  expect(await failure(read)).toMatch(/HISTORY_INVALID: .*odd\.toml: `alarm`/)
})
