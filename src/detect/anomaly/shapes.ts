/**
 * How unlike any usual stretch the last samples are: the distance of their window from the nearest of
 * the shapes that windows of the past gather around (k-means; Yairi et al. 2001).
 */
import { rowOf, type Series } from './series.ts'

/** Samples of a window. */
const WINDOW = 10
const SHAPE_COUNT = 20
/** Neighbouring windows are nearly the same: one in three is learned from, and no more than so many. */
const STRIDE_MIN = 3
const WINDOWS_MAX = 8_000
const ROUNDS_MAX = 20

/** The last samples, oldest first; before there are enough, the first one stands for those before it. */
export class ShapeWindow {
  #window: Float64Array | null = null

  /** Valid until the next call. */
  push(row: Float64Array): Float64Array {
    if (this.#window === null) {
      this.#window = new Float64Array(WINDOW * row.length)
      for (let i = 0; i < WINDOW; i++) this.#window.set(row, i * row.length)
    } else {
      this.#window.copyWithin(0, row.length)
      this.#window.set(row, (WINDOW - 1) * row.length)
    }
    return this.#window
  }
}

export class Shapes {
  readonly #centres: readonly Float64Array[]

  /** Learns the shapes; no value may be NaN. The same series gives the same shapes. */
  constructor(series: Series) {
    const windows = windowsOf(series)
    this.#centres = firstCentres(windows)
    for (let round = 0; round < ROUNDS_MAX && improve(this.#centres, windows); round++);
  }

  distance(window: Float64Array): number {
    return Math.sqrt(nearest(this.#centres, window).square)
  }
}

function windowsOf(series: Series): readonly Float64Array[] {
  const stride = Math.max(STRIDE_MIN, Math.ceil(series.sampleCount / WINDOWS_MAX))
  const window = new ShapeWindow()
  const windows: Float64Array[] = []
  for (let i = 0; i < series.sampleCount; i++) {
    const values = window.push(rowOf(series, i))
    if (i % stride === 0) windows.push(values.slice())
  }
  return windows
}

/** Each next one is drawn the likelier, the further it is from those before (Arthur 2007). */
function firstCentres(windows: readonly Float64Array[]): readonly Float64Array[] {
  const centres = [windows[0].slice()]
  const squares = Float64Array.from(windows, (window) => squareBetween(window, centres[0]))
  // Park and Miller's generator: chance that is the same each time.
  let state = 1
  while (centres.length < SHAPE_COUNT) {
    state = (state * 16_807) % 2_147_483_647
    const total = squares.reduce((sum, square) => sum + square, 0)
    let left = (state / 2_147_483_647) * total
    let drawn = 0
    while (drawn < windows.length - 1 && (left -= squares[drawn]) > 0) drawn++
    const centre = windows[drawn].slice()
    centres.push(centre)
    for (const [i, window] of windows.entries()) {
      squares[i] = Math.min(squares[i], squareBetween(window, centre, squares[i]))
    }
  }
  return centres
}

/** One round of Lloyd's: each centre becomes the mean of its windows. False when none has moved. */
function improve(centres: readonly Float64Array[], windows: readonly Float64Array[]): boolean {
  const sums = centres.map((centre) => new Float64Array(centre.length))
  const counts = new Uint32Array(centres.length)
  for (const window of windows) {
    const { index } = nearest(centres, window)
    counts[index]++
    const sum = sums[index]
    for (let i = 0; i < sum.length; i++) sum[i] += window[i]
  }
  let moved = false
  for (const [c, centre] of centres.entries()) {
    if (counts[c] === 0) continue
    for (let i = 0; i < centre.length; i++) {
      const mean = sums[c][i] / counts[c]
      moved ||= Math.abs(mean - centre[i]) > 1e-6
      centre[i] = mean
    }
  }
  return moved
}

function nearest(centres: readonly Float64Array[], window: Float64Array) {
  let [index, square] = [0, Infinity]
  for (let c = 0; c < centres.length; c++) {
    const between = squareBetween(window, centres[c], square)
    if (between < square) [index, square] = [c, between]
  }
  return { index, square }
}

/** Squared distance; any number from `enough` on once it is known to be that far. */
function squareBetween(a: Float64Array, b: Float64Array, enough = Infinity): number {
  let square = 0
  for (let i = 0; i < a.length;) {
    const end = Math.min(a.length, i + 32)
    for (; i < end; i++) square += (a[i] - b[i]) ** 2
    if (square >= enough) break
  }
  return square
}
