/**
 * A JSON number read from its bytes, equal to what JSON.parse makes of it, bit for bit, and without a
 * text of it. Up to 2^53 a mantissa is exact, and so is a power of ten up to 10^22, so that one
 * division rounds right (Clinger, "How to read floating point numbers accurately", 1990). Shortest
 * texts of doubles have up to 17 digits; those are divided as a sum of two doubles, and the quotient
 * is taken where its error cannot change how it rounds (Dekker 1971, Ziv 1991). The rest, one in
 * billions, ties and far exponents, is left to `Number`.
 */

/** Instead of a position: not of the plain kind, or no JSON at all. */
export const NOT_PLAIN = -1

const ZERO = 0x30
const MINUS = 0x2d
const PLUS = 0x2b
const POINT = 0x2e
const LETTER_E = 0x65

const DIGITS_PER_HALF = 9
const DIGITS_MAX = 18
const EXACT_MAX = 2 ** 53
const POWER_MAX = 22
/** Of the quotient: its error is less, and far less than half of its last place. */
const ERROR_RATIO = 2 ** -92
const SPLITTER = 2 ** 27 + 1

const powers = Float64Array.from({ length: POWER_MAX + 1 }, (_, n) => Number(`1e${n}`))
/** The upper 26 bits of each, so that products of halves are exact. */
const powersHigh = powers.map(upperHalf)
const powersLow = powers.map((power, n) => power - powersHigh[n])

/**
 * Reads the number at `start` into `out[index]`; the position after it, or NOT_PLAIN. The bytes, which
 * `view` shows too, must end in four that are neither digits nor a sign, point or letter.
 */
export function readNumber(
  bytes: Buffer,
  view: DataView,
  start: number,
  out: Float64Array,
  index: number,
): number {
  const first = bytes[start] === MINUS ? start + 1 : start
  let at = first
  let high = 0
  let low = 0
  let digits = 0
  for (let digit = bytes[at] - ZERO; digit >= 0 && digit <= 9; digit = bytes[++at] - ZERO) {
    if (digits < DIGITS_PER_HALF) high = high * 10 + digit
    else if (digits < DIGITS_MAX) low = low * 10 + digit
    digits++
  }
  if (digits === 0 || (digits > 1 && bytes[first] === ZERO)) return NOT_PLAIN
  // Zeros in front of the first other digit take no room in the mantissa.
  if (high === 0) digits = 0
  let scale = 0
  if (bytes[at] === POINT) {
    const fraction = ++at
    if (digits > 0 || bytes[at] !== ZERO) {
      // Four digits at a time, as long as all of them belong to the same half.
      for (; digits <= DIGITS_PER_HALF - 4; digits += 4, at += 4) {
        const word = view.getInt32(at, true)
        if (!areDigits(word)) break
        high = high * 10_000 + fourDigits(word)
      }
    }
    for (let digit = bytes[at] - ZERO; digit >= 0 && digit <= 9; digit = bytes[++at] - ZERO) {
      if (digits < DIGITS_PER_HALF) {
        high = high * 10 + digit
      } else if (digits < DIGITS_MAX) {
        const word = view.getInt32(at, true)
        if (digits <= DIGITS_MAX - 4 && areDigits(word)) {
          low = low * 10_000 + fourDigits(word)
          digits += 4
          at += 3
          continue
        }
        low = low * 10 + digit
      }
      if (digits > 0 || digit > 0) digits++
    }
    if (at === fraction) return NOT_PLAIN
    scale = fraction - at
  }
  if ((bytes[at] | 0x20) === LETTER_E) {
    const end = exponentEnd(bytes, at + 1)
    if (end === NOT_PLAIN) return NOT_PLAIN
    if (end - at > 5) digits = DIGITS_MAX + 1
    else scale += Number(bytes.toString('latin1', at + 1, end))
    at = end
  }
  const sign = first === start ? 1 : -1
  if (digits <= DIGITS_MAX && scale >= -POWER_MAX && scale <= POWER_MAX) {
    const lowDigits = digits > DIGITS_PER_HALF ? digits - DIGITS_PER_HALF : 0
    const mantissa = high * powers[lowDigits] + low
    if (mantissa < EXACT_MAX) {
      out[index] = sign * (scale < 0 ? mantissa / powers[-scale] : mantissa * powers[scale])
      return at
    }
    if (scale < 0 && divideWide(high, low, lowDigits, -scale, out, index)) {
      out[index] *= sign
      return at
    }
  }
  out[index] = sign * Number(bytes.toString('latin1', first, at))
  return at
}

function areDigits(word: number): boolean {
  return (((word + 0x46464646) | (word - 0x30303030)) & 0x80808080) === 0
}

/** Of text in memory order: pairs first, then the pair of pairs. */
function fourDigits(word: number): number {
  const digits = word - 0x30303030
  const pairs = (digits * 10 + (digits >> 8)) & 0x00ff00ff
  return (pairs & 0xff) * 100 + (pairs >> 16)
}

function exponentEnd(bytes: Uint8Array, start: number): number {
  const first = bytes[start] === PLUS || bytes[start] === MINUS ? start + 1 : start
  let at = first
  while (bytes[at] >= ZERO && bytes[at] <= ZERO + 9) at++
  return at === first ? NOT_PLAIN : at
}

/**
 * (high · 10^lowDigits + low) / 10^power to `out[index]`, the dividend beyond 2^53 and below 2^60; false
 * where rounding is in doubt. (A double that a function returns may become an object.)
 */
function divideWide(
  high: number,
  low: number,
  lowDigits: number,
  power: number,
  out: Float64Array,
  index: number,
): boolean {
  // Both parts are exact: 15 bits of `high` by 30 bits of the power of ten.
  const upper = (high >> 15) * powers[lowDigits] * 32_768
  const lower = (high & 32_767) * powers[lowDigits] + low
  const dividend = upper + lower
  const dividendRest = lower - (dividend - upper)
  const divisor = powers[power]
  const quotient = dividend / divisor
  const product = quotient * divisor
  const quotientHigh = upperHalf(quotient)
  const quotientLow = quotient - quotientHigh
  // quotient · divisor is product + productRest, exactly in this order of terms.
  let productRest = quotientHigh * powersHigh[power] - product
  productRest += quotientHigh * powersLow[power]
  productRest += quotientLow * powersHigh[power]
  productRest += quotientLow * powersLow[power]
  const rest = (dividend - product - productRest + dividendRest) / divisor
  const error = quotient * ERROR_RATIO
  const least = quotient + (rest - error)
  out[index] = least
  return least === quotient + (rest + error)
}

function upperHalf(value: number): number {
  const scaled = value * SPLITTER
  return scaled - (scaled - value)
}
