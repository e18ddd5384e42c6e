/**
 * Levels that do not flutter: a subject rises after several readings in a row, and falls only below
 * the line of its hysteresis. Subjects that are well take no memory.
 */

/** 0 is well, 1 a warning, 2 critical. */
export type Level = 0 | 1 | 2

/** Subjects that are not well at once; further ones are counted and left out. */
export const LATCHED_MAX = 10_000

interface Latched {
  level: Level
  /** Readings in a row above the level that stands, and the least of them. */
  overCount: number
  overLevel: Level
}

export class Latch {
  readonly #persistence: number
  readonly #latched = new Map<string, Latched>()
  #leftOutCount = 0

  constructor(persistence: number) {
    this.#persistence = persistence
  }

  get size(): number {
    return this.#latched.size
  }

  get leftOutCount(): number {
    return this.#leftOutCount
  }

  has(subject: string): boolean {
    return this.#latched.has(subject)
  }

  level(subject: string): Level {
    return this.#latched.get(subject)?.level ?? 0
  }

  /** `over`: the level of this reading; `held`: the level that hysteresis still holds, at least `over`. */
  next(subject: string, over: Level, held: Level): Level {
    let latched = this.#latched.get(subject)
    if (latched === undefined) {
      if (over === 0) return 0
      if (this.#latched.size === LATCHED_MAX) {
        this.#leftOutCount++
        return 0
      }
      latched = { level: 0, overCount: 0, overLevel: over }
      this.#latched.set(subject, latched)
    }
    if (over > latched.level) rise(latched, over, this.#persistence)
    else {
      latched.overCount = 0
      if (held < latched.level) latched.level = held
    }
    if (latched.level === 0 && latched.overCount === 0) this.#latched.delete(subject)
    return latched.level
  }

  forget(subject: string): void {
    this.#latched.delete(subject)
  }
}

function rise(latched: Latched, over: Level, persistence: number): void {
  latched.overLevel = latched.overCount === 0 || over < latched.overLevel ? over : latched.overLevel
  latched.overCount++
  if (latched.overCount < persistence) return
  latched.level = latched.overLevel
  latched.overCount = 0
}
