/** `--only KEY` and `--bound KEY=LOW..HIGH`: operators narrow what tuning may change. */
import { nearest } from '../config/toml.ts'
import { ServiceError } from '../core/errors.ts'
import { parseDuration } from '../core/time.ts'
import type { Knob } from '../simulate/tuning/knobs.ts'
import { valueText } from '../simulate/tuning/space.ts'

/** Those of the knobs that are left, within what is left of their bounds. ServiceError USAGE. */
export function narrowed(
  knobs: readonly Knob[],
  only: readonly string[],
  bounds: readonly string[],
): readonly Knob[] {
  const known = knobs.map(({ key }) => key)
  for (const key of only) if (!known.includes(key)) unknown('only', key, known)
  const chosen = new Map(
    knobs
      .filter(({ key }) => only.length === 0 || only.includes(key))
      .map((knob) => [knob.key, knob]),
  )
  const seen = new Set<string>()
  for (const text of bounds) {
    const match = /^([^=]+)=(.+)\.\.(.+)$/.exec(text)
    if (match === null) {
      throw usage(`--bound: "${text}" is no KEY=LOW..HIGH, such as policy.budget=0.1..0.2`)
    }
    const [, key, low, high] = match
    if (!known.includes(key)) unknown('bound', key, known)
    const knob = chosen.get(key)
    if (knob === undefined) throw usage(`--bound: ${key} is not among the keys of --only`)
    if (seen.has(key)) throw usage(`--bound: ${key} is given twice`)
    seen.add(key)
    chosen.set(key, within(knob, value(knob, low), value(knob, high)))
  }
  return [...chosen.values()]
}

function within(knob: Knob, low: number, high: number): Knob {
  const text = (bound: number) => valueText(bound, knob.unit)
  if (low > high) throw usage(`--bound: ${knob.key}: ${text(low)} is over ${text(high)}`)
  if (low >= knob.low && high <= knob.high) return { ...knob, low, high }
  throw usage(
    `--bound: ${knob.key}: bounds are narrowed only, within ${text(knob.low)}..${text(knob.high)}`,
  )
}

function value({ key, unit }: Knob, text: string): number {
  const number = unit === 'duration' ? (parseDuration(text) ?? Number.NaN) : Number(text)
  if (text.trim() !== '' && Number.isFinite(number)) {
    if (unit !== 'count' || Number.isInteger(number)) return number
  }
  const kind = { duration: 'length of time; write 60s, 5m', count: 'whole number' }
  throw usage(
    `--bound: ${key}: "${text}" is no ${unit === 'duration' || unit === 'count' ? kind[unit] : 'number'}`,
  )
}

function unknown(option: string, key: string, known: readonly string[]): never {
  const near = nearest(key, known)
  const mend = near === undefined ? `known are ${known.join(', ')}` : `did you mean ${near}?`
  throw usage(`--${option}: ${key} is not tuned; ${mend}`)
}

function usage(message: string): ServiceError {
  return new ServiceError('USAGE', message)
}
