/**
 * One sample of every node folded (16 metrics, three half-lives), then health and liveness of all: the
 * product's own kernels, as a watcher calls them. The native rival has the same tiles and the same
 * arithmetic, four metrics at a time; the JavaScript one has a typed array per field.
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { configure, instantiate } from '../../src/state/kernel.ts'
import { featureNames } from '../../src/state/features.ts'
import { alternate, missingRow, ratioRow } from '../bench.ts'
import { FLEET, METRICS, ROWS, START_MS, foreshockModule, nodeName } from '../ingest/columns.ts'
import { valueOf } from '../ingest/columns.ts'
import { TypedArrays } from './typed-arrays.ts'
import type { Bench, BenchRow } from '../bench.ts'
import type { Kernel } from '../../src/state/kernel.ts'

/** No feature row falls due in this bench. */
const CLASS = { ...FLEET, predictionIntervalMs: 1e12 }
const SILENCE_MS = 30_000
const PASS_MS = 10_000
const CRATE = join(import.meta.dirname, 'rs')
const TARGET = join(import.meta.dirname, '../../.cache/bench/score')
/** Ours and the rivals' sums of float32s. */
const TOLERANCE = 1e-3

export const bench: Bench = {
  name: 'score all nodes',
  async run({ quick, log }): Promise<readonly BenchRow[]> {
    const sizes = quick ? [20_000] : [100_000, 1_000_000]
    const rows: BenchRow[] = []
    for (const nodes of sizes) {
      log(`score: ${nodes} nodes`)
      rows.push(...(await rowsOf(nodes, quick ? 4 : 6)))
    }
    return rows
  },
}

async function rowsOf(nodes: number, rounds: number): Promise<readonly BenchRow[]> {
  const count = nodes.toLocaleString('en')
  const what = `${count} nodes x ${METRICS} metrics: fold a sample each, health and liveness of all`
  const [ours, js, native] = [new Fleet(nodes), new TypedArrays(nodes), nativeFleet(nodes)]
  let [oursPass, jsPass] = [0, 0]
  const candidates = {
    ours: () => ours.pass(oursPass++),
    js: () => js.pass(START_MS + jsPass * PASS_MS, COLUMNS[jsPass++ % 2]),
    ...(typeof native === 'string' ? {} : { native: () => native.pass() }),
  }
  const times = await alternate(rounds, candidates)
  const sum = sumOf(js)
  const sums = [ours.sum(), ...(typeof native === 'string' ? [] : [await native.end()])]
  if (sums.some((other) => !(Math.abs(other - sum) < TOLERANCE * sum))) {
    throw new Error(`the fleets differ: ${[sum, ...sums].join(', ')}`)
  }
  const against = 'native Rust, same tiles, same arithmetic'
  const reach = nodes >= 1_000_000 ? 0.9 : 0.5
  return [
    ratioRow(what, 'JS typed arrays', times, { ours: 'ours', rival: 'js', reach: 10 }),
    typeof native === 'string'
      ? missingRow(what, against, reach, native)
      : ratioRow(what, against, times, { ours: 'ours', rival: 'native', reach }),
  ]
}

/** Values of two passes, which alternate. */
const COLUMNS = [0, 1].map((step) => {
  const values = new Float64Array(METRICS * ROWS)
  for (let i = 0; i < values.length; i++) {
    values[i] = valueOf(i % ROWS, Math.floor(i / ROWS), step)
  }
  return values
})

/** The product's table, below its decoding of records. */
class Fleet {
  readonly #kernel: Kernel = instantiate(foreshockModule())
  readonly #nodes: number
  readonly #order: Uint32Array
  #at = START_MS

  constructor(nodes: number) {
    this.#nodes = nodes
    this.#order = Uint32Array.from({ length: nodes }, (_, node) => node)
    const featureCount = featureNames(CLASS).length
    configure(this.#kernel, CLASS, { featureCount, nodesMax: nodes, rowsMax: ROWS })
    for (let node = 0; node < nodes; node++) {
      const name = Buffer.from(nodeName(node))
      const at = this.#kernel.idScratchPointer() >>> 0
      new Uint8Array(this.#kernel.memory.buffer, at, name.length).set(name)
      this.#kernel.intern(at, name.length)
    }
  }

  pass(pass: number): void {
    const kernel = this.#kernel
    this.#at = START_MS + pass * PASS_MS
    const at = BigInt64Array.from({ length: ROWS }, (_, row) => BigInt(this.#at + row))
    const appendedAt = new BigInt64Array(ROWS).fill(BigInt(this.#at + 1_000))
    kernel.stage(ROWS)
    const { buffer } = kernel.memory
    new BigInt64Array(buffer, kernel.stagedAtPointer() >>> 0, ROWS).set(at)
    new BigInt64Array(buffer, kernel.stagedAppendedPointer() >>> 0, ROWS).set(appendedAt)
    new Float64Array(buffer, kernel.stagedValuesPointer() >>> 0, METRICS * ROWS).set(
      COLUMNS[pass % 2],
    )
    const staged = new Uint32Array(buffer, kernel.stagedNodesPointer() >>> 0, ROWS)
    for (let from = 0; from < this.#nodes; from += ROWS) {
      staged.set(this.#order.subarray(from, from + ROWS))
      kernel.beginFold()
      if (kernel.foldStaged(this.#at + 1_000, this.#at + 1_000) === 0)
        throw new Error('a row is due')
    }
    kernel.healthScores()
    kernel.sweep(this.#at + 1_000, SILENCE_MS)
  }

  /** Of the first thousand nodes: mean of the first metric, plus health. A row holds value - mean. */
  sum(): number {
    const kernel = this.#kernel
    kernel.emitChanged(0)
    const width = featureNames(CLASS).length
    const matrix = new Float32Array(
      kernel.memory.buffer,
      kernel.matrixPointer() >>> 0,
      ROWS * width,
    )
    const health = new Float32Array(kernel.memory.buffer, kernel.healthPointer() >>> 0, ROWS)
    let sum = 0
    for (let row = 0; row < ROWS; row++) {
      sum += matrix[row * width] - matrix[row * width + 1] + health[row]
    }
    return sum
  }
}

function sumOf({ mean, health }: TypedArrays): number {
  let sum = 0
  for (let node = 0; node < ROWS; node++) sum += mean[0][node * METRICS] + health[node]
  return sum
}

interface NativeFleet {
  pass(): Promise<void>
  /** Ends it; its last sum. */
  end(): Promise<number>
}

/** Built when it is first asked for; a reason where that cannot be. */
function nativeFleet(nodes: number): NativeFleet | string {
  mkdirSync(TARGET, { recursive: true })
  const { status } = spawnSync(
    'cargo',
    ['build', '--release', '--offline', '--target-dir', TARGET],
    { cwd: CRATE, stdio: 'ignore' },
  )
  if (status !== 0) return status === null ? 'cargo is not installed' : 'its build failed'
  const child = spawn(join(TARGET, 'release/score'), [String(nodes)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  let sum = Number.NaN
  return {
    async pass(): Promise<void> {
      child.stdin.write('pass\n')
      const line = await lines.next()
      if (line.done === true) throw new Error('the native fleet ended early')
      sum = Number(line.value)
    },
    async end(): Promise<number> {
      const closed = new Promise((resolve) => child.once('close', resolve))
      child.stdin.end()
      await closed
      return sum
    },
  }
}
