/** Bins rows in WASM: most of the time of reading a history would go there otherwise. */
import { strideOf, type Bounds } from './bins.ts'

const PAGE_BYTES = 65_536
/** Kernels keep their static data below this. */
const STATIC_BYTES = 1 << 20
const BOUNDS_PER_FEATURE = 256

interface BinKernel {
  gbdtBin(row: number, featureCount: number, bounds: number, bins: number): void
}

export class Binner {
  readonly stride: number
  readonly featureCount: number
  readonly #kernel: BinKernel
  readonly #row: Float32Array
  readonly #bins: Uint8Array
  readonly #boundsAt: number
  readonly #columns: Uint32Array

  /** @param columns of a full row, one for each of the bounds. */
  constructor(
    module: WebAssembly.Module,
    bounds: Bounds,
    columns: Uint32Array = Uint32Array.from(bounds, (_, i) => i),
  ) {
    this.#columns = columns
    this.featureCount = bounds.length
    this.stride = strideOf(bounds.length)
    const rowAt = STATIC_BYTES
    const binsAt = rowAt + this.stride * 4
    this.#boundsAt = binsAt + this.stride
    const end = this.#boundsAt + bounds.length * BOUNDS_PER_FEATURE * 4
    const memory = new WebAssembly.Memory({ initial: Math.ceil(end / PAGE_BYTES) })
    const instance = new WebAssembly.Instance(module, { env: { memory, abort } })
    // The module is ours and built with this export; a test calls it.
    this.#kernel = instance.exports as unknown as BinKernel
    this.#row = new Float32Array(memory.buffer, rowAt, bounds.length)
    this.#bins = new Uint8Array(memory.buffer, binsAt, this.stride)
    const table = new Float32Array(
      memory.buffer,
      this.#boundsAt,
      bounds.length * BOUNDS_PER_FEATURE,
    ).fill(Infinity)
    for (const [f, bound] of bounds.entries()) table.set(bound, f * BOUNDS_PER_FEATURE)
  }

  /** Bins of the full row that starts at `from`: `stride` bytes, a view until the next call. */
  bin(matrix: Float32Array, from: number): Uint8Array {
    for (let f = 0; f < this.featureCount; f++) this.#row[f] = matrix[from + this.#columns[f]]
    const { byteOffset } = this.#row
    this.#kernel.gbdtBin(byteOffset, this.featureCount, this.#boundsAt, this.#bins.byteOffset)
    return this.#bins
  }
}

function abort(): never {
  throw new Error('bug: a kernel aborted')
}
