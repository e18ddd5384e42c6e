/**
 * RFC 3339 times read from their bytes. What a date means is asked of `Date.parse` and remembered,
 * since the next sample is of the same day; the time of the day is added up here.
 */
const DATE = /^\d{4}-\d\d-\d\d$/
const DATE_BYTES = 10
const ZERO = 0x30
const POINT = 0x2e
const FRACTION_DIGITS_MAX = 9

export class TimeReader {
  readonly #date = new Uint8Array(DATE_BYTES)
  #dateMs = NaN

  /** Ms since 1970 as `bytes[start, end)` says; NaN where `timeField` must look at it. */
  read(bytes: Buffer, start: number, end: number): number {
    const separator = bytes[start + DATE_BYTES] | 0x20
    if (end - start < 20 || (separator !== 0x74 && separator !== 0x20)) return NaN
    const hour = pair(bytes, start + 11, 23)
    const minute = pair(bytes, start + 14, 59)
    const second = pair(bytes, start + 17, 59)
    if (bytes[start + 13] !== 0x3a || bytes[start + 16] !== 0x3a) return NaN
    let at = start + 19
    let ms = 0
    if (bytes[at] === POINT) {
      let unit = 100
      for (at++; bytes[at] >= ZERO && bytes[at] <= ZERO + 9; at++) {
        ms += Math.floor(unit) * (bytes[at] - ZERO)
        unit /= 10
      }
      // Of longer fractions engines differ in what they make.
      if (unit === 100 || at - start > 20 + FRACTION_DIGITS_MAX) return NaN
    }
    const time = ((hour * 60 + minute) * 60 + second) * 1_000 + ms
    return this.#dateOf(bytes, start) + time - offsetOf(bytes, at, end)
  }

  #dateOf(bytes: Buffer, start: number): number {
    let same = 0
    while (same < DATE_BYTES && this.#date[same] === bytes[start + same]) same++
    if (same === DATE_BYTES) return this.#dateMs
    const text = bytes.toString('latin1', start, start + DATE_BYTES)
    this.#date.set(bytes.subarray(start, start + DATE_BYTES))
    this.#dateMs = DATE.test(text) ? Date.parse(`${text}T00:00:00Z`) : NaN
    return this.#dateMs
  }
}

/** Two digits, NaN beyond `most`. */
function pair(bytes: Uint8Array, at: number, most: number): number {
  const [tens, ones] = [bytes[at] - ZERO, bytes[at + 1] - ZERO]
  const value = tens * 10 + ones
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 && value <= most ? value : NaN
}

/** Ms of `Z`, `+01:00` and the like, which must be all that is left; else NaN. */
function offsetOf(bytes: Uint8Array, at: number, end: number): number {
  if ((bytes[at] | 0x20) === 0x7a) return at + 1 === end ? 0 : NaN
  const sign = bytes[at] === 0x2b ? 1 : bytes[at] === 0x2d ? -1 : NaN
  if (at + 6 !== end || bytes[at + 3] !== 0x3a) return NaN
  return sign * (pair(bytes, at + 1, 23) * 60 + pair(bytes, at + 4, 59)) * 60_000
}
