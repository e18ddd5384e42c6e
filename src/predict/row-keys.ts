/**
 * Rows as integers in the order of their floats, one for each pair of a feature and the side on which its
 * missing values go. Comparing them is exact on every device: a GPU may take a NaN for a number and
 * a denormal for zero, but it does not do so with integers. This is also the one copy that rows make
 * on their way to another thread.
 */

import { assert } from '../core/errors.ts'

export type EncodedRows = Int32Array<ArrayBuffer> | Float32Array<ArrayBuffer>

/** The column of a row that is asked, and where its missing values go. */
export interface KeySlot {
  readonly feature: number
  readonly missingLeft: boolean
}

/** Below and above the keys of all floats, infinities included. */
const MISSING_LEFT = -(2 ** 31)
const MISSING_RIGHT = 2 ** 31 - 1

const EXPONENT = 0x7f80_0000
const MAGNITUDE = 0x7fff_ffff

export class RowKeys {
  readonly width: number
  readonly #features: Int32Array
  readonly #missing: Int32Array

  constructor(slots: readonly KeySlot[]) {
    this.width = slots.length
    this.#features = Int32Array.from(slots, ({ feature }) => feature)
    this.#missing = Int32Array.from(slots, (slot) =>
      slot.missingLeft ? MISSING_LEFT : MISSING_RIGHT,
    )
  }

  /**
   * Writes the keys of the first `rowCount` rows of a row-major matrix of `featureCount` columns.
   * @param keys [rows, width], row-major.
   */
  write(matrix: Float32Array, featureCount: number, rowCount: number, keys: Int32Array): void {
    const bits = new Int32Array(matrix.buffer, matrix.byteOffset, matrix.length)
    const features = this.#features
    const missing = this.#missing
    const width = features.length
    for (let row = 0, to = 0, from = 0; row < rowCount; row++, from += featureCount) {
      for (let slot = 0; slot < width; slot++, to++) {
        const value = bits[from + features[slot]]
        const magnitude = value & MAGNITUDE
        if (magnitude > EXPONENT) keys[to] = missing[slot]
        else keys[to] = magnitude === 0 ? 0 : value ^ ((value >> 31) & MAGNITUDE)
      }
    }
  }
}

/** Rows as the GPU form of a model reads them: keys, or the values themselves for a model without trees. */
export class RowEncoder {
  readonly width: number
  readonly #featureCount: number
  readonly #keys: RowKeys | null

  constructor(slots: readonly KeySlot[] | null, featureCount: number) {
    this.#keys = slots === null ? null : new RowKeys(slots)
    this.#featureCount = featureCount
    this.width = this.#keys?.width ?? featureCount
  }

  /** @returns [rows, width], new memory of its own. */
  encode(matrix: Float32Array, rowCount: number): EncodedRows {
    const featureCount = this.#featureCount
    assert(matrix.length >= rowCount * featureCount, 'the matrix is smaller than rows × features')
    if (this.#keys === null) return matrix.slice(0, rowCount * featureCount)
    const keys = new Int32Array(rowCount * this.width)
    this.#keys.write(matrix, featureCount, rowCount, keys)
    return keys
  }
}
