/** The node table's fold, health and liveness in plain JavaScript: one typed array per field. */
import { FLEET, METRICS, ROWS } from '../ingest/columns.ts'

const [SHORT, MIDDLE, LONG] = FLEET.halfLivesMs
const WEIGHTS = [0.4, 0.3, 0.2, 0.1]
const SILENCE_MS = 30_000

export class TypedArrays {
  readonly nodes: number
  readonly health: Float32Array
  readonly mean: readonly Float32Array[]
  readonly value: Float32Array
  readonly #lastAt: Float64Array
  readonly #lastSeen: Float64Array
  readonly #arrivalMean: Float32Array
  readonly #arrivalVariance: Float32Array
  readonly #silent: Uint8Array
  readonly #raw: Float64Array
  readonly #at: Float64Array
  readonly #changedAt: Float64Array
  readonly #variance: readonly Float32Array[]
  readonly #changes: readonly Float32Array[]
  readonly #maximum: Float32Array
  readonly #missing: Float32Array

  constructor(nodes: number) {
    const cells = nodes * METRICS
    const threeOf = (fill: number) => [0, 1, 2].map(() => new Float32Array(cells).fill(fill))
    this.nodes = nodes
    this.health = new Float32Array(nodes)
    this.value = new Float32Array(cells).fill(Number.NaN)
    this.mean = threeOf(Number.NaN)
    this.#variance = threeOf(0)
    this.#changes = threeOf(0)
    this.#lastAt = new Float64Array(nodes).fill(-Infinity)
    this.#lastSeen = new Float64Array(nodes).fill(Number.NaN)
    this.#arrivalMean = new Float32Array(nodes).fill(FLEET.heartbeatIntervalMs ?? 0)
    this.#arrivalVariance = new Float32Array(nodes)
    this.#silent = new Uint8Array(nodes)
    this.#raw = new Float64Array(cells).fill(Number.NaN)
    this.#at = new Float64Array(cells).fill(-Infinity)
    this.#changedAt = new Float64Array(cells).fill(Number.NaN)
    this.#maximum = new Float32Array(cells).fill(Number.NaN)
    this.#missing = new Float32Array(cells)
  }

  /** One sample of every node; values [metric][row], row = node mod ROWS. */
  pass(atMs: number, values: Float64Array): number {
    for (let node = 0; node < this.nodes; node++) {
      this.#fold(node, atMs + (node % ROWS), values)
      this.#lifeSign(node, atMs + 1_000)
    }
    this.#score()
    return this.#sweep(atMs + 1_000)
  }

  #fold(node: number, at: number, values: Float64Array): void {
    if (at <= this.#lastAt[node]) return
    this.#lastAt[node] = at
    let [elapsed, k0, k1, k2] = [Number.NaN, 1, 1, 1]
    for (let metric = 0; metric < METRICS; metric++) {
      const raw = values[metric * ROWS + (node % ROWS)]
      const cell = node * METRICS + metric
      const present = raw >= 0 && raw <= 1e6
      this.#missing[cell] += ((present ? 0 : 1) - this.#missing[cell]) / 32
      if (!present) continue
      const dt = at - this.#at[cell]
      const held = this.value[cell]
      this.#at[cell] = at
      this.value[cell] = raw
      if (!(this.#maximum[cell] >= raw)) this.#maximum[cell] = raw
      const changed = raw !== this.#raw[cell]
      this.#raw[cell] = raw
      if (dt === Infinity) {
        for (const mean of this.mean) mean[cell] = raw
        continue
      }
      if (changed) this.#changedAt[cell] = at
      if (dt !== elapsed) {
        elapsed = dt
        k0 = 2 ** (-dt / SHORT)
        k1 = 2 ** (-dt / MIDDLE)
        k2 = 2 ** (-dt / LONG)
      }
      this.#moments(0, cell, held, k0, changed)
      this.#moments(1, cell, held, k1, changed)
      this.#moments(2, cell, held, k2, changed)
    }
  }

  #moments(h: number, cell: number, held: number, k: number, changed: boolean): void {
    const [mean, variance, changes] = [this.mean[h], this.#variance[h], this.#changes[h]]
    const d = mean[cell] - held
    mean[cell] = held + d * k
    variance[cell] = k * variance[cell] + k * (1 - k) * d * d
    changes[cell] = changes[cell] * k + (changed ? 1 : 0)
  }

  #lifeSign(node: number, at: number): void {
    const gap = at - this.#lastSeen[node]
    this.#lastSeen[node] = at
    if (!(gap > 0)) return
    const d = gap - this.#arrivalMean[node]
    this.#arrivalMean[node] += d / 16
    this.#arrivalVariance[node] = (15 / 16) * (this.#arrivalVariance[node] + (d * d) / 16)
  }

  #score(): void {
    const worst = new Float32Array(WEIGHTS.length)
    for (let node = 0; node < this.nodes; node++) {
      worst.fill(1)
      for (let metric = 0; metric < METRICS; metric++) {
        const ratio = (this.value[node * METRICS + metric] - 0.9) / (0.1 - 0.9)
        const part = metric % WEIGHTS.length
        if (ratio < worst[part]) worst[part] = ratio < 0 ? 0 : ratio
      }
      let score = 0
      for (let part = 0; part < WEIGHTS.length; part++) score += WEIGHTS[part] * worst[part]
      this.health[node] = score
    }
  }

  #sweep(nowMs: number): number {
    let changed = 0
    for (let node = 0; node < this.nodes; node++) {
      const silent = nowMs - this.#lastSeen[node] > SILENCE_MS ? 1 : 0
      if (silent !== this.#silent[node]) changed++
      this.#silent[node] = silent
    }
    return changed
  }
}
