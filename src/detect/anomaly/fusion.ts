/**
 * Members smoothed and made one: the sum of the logarithms of their ratios to what is usual of them. A
 * member far above its usual level counts by orders of magnitude, so no member drowns the others.
 */
import { MEMBERS, type Member } from './members.ts'
import { TrailingMean } from './trailing-mean.ts'

/** Which members, over how many samples; chosen on the nodes that are kept for choosing. */
export interface FusionRecipe {
  readonly members: readonly Member[]
  readonly smoothing: number
}

/** For ranking: smooth, so that the whole of an anomaly stands out. */
export const SCORE: FusionRecipe = {
  members: ['suddenMax', 'driftDistance', 'componentMax', 'shapeDistance'],
  smoothing: 5,
}

/** For telling: fast. */
export const ALARM: FusionRecipe = {
  members: ['driftMax', 'driftDistance', 'componentMax', 'shapeDistance'],
  smoothing: 3,
}

const LEAST = 1e-9

export type MemberValues = Readonly<Record<Member, number>>

export class Fusion {
  readonly #recipe: FusionRecipe
  readonly #usual: MemberValues
  readonly #means: ReadonlyMap<Member, TrailingMean>

  constructor(recipe: FusionRecipe, usual: MemberValues) {
    this.#recipe = recipe
    this.#usual = usual
    this.#means = new Map(recipe.members.map((m) => [m, new TrailingMean(recipe.smoothing)]))
  }

  /** 0 when every member is as usual. */
  push(values: MemberValues): number {
    let sum = 0
    for (const member of this.#recipe.members) {
      const smooth = this.#means.get(member)!.push(values[member])
      sum += Math.log((smooth + LEAST) / (this.#usual[member] + LEAST))
    }
    return sum
  }
}

/** The median of each smoothed member over samples in time order. */
export function usualOf(samples: readonly MemberValues[], smoothing: number): MemberValues {
  const medians = MEMBERS.map((member) => {
    const mean = new TrailingMean(smoothing)
    const smooth = Float64Array.from(samples, (values) => mean.push(values[member])).sort()
    return [member, smooth[smooth.length >> 1]] as const
  })
  return Object.fromEntries(medians) as Record<Member, number>
}
