/** A seeded random source, so that a run is repeated by its seed alone (splitmix32). */
export type Random = () => number

/** Uniform in [0, 1). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    mixed ^= mixed >>> 15
    return (mixed >>> 0) / 4_294_967_296
  }
}

/** Numbers 0..count-1 in a random order. */
export function shuffled(random: Random, count: number): readonly number[] {
  const order = [...Array(count).keys()]
  for (let i = count - 1; i > 0; i--) {
    const k = Math.floor(random() * (i + 1))
    const held = order[i]
    order[i] = order[k]
    order[k] = held
  }
  return order
}
