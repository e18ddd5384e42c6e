/**
 * Members smoothed and made one: the sum of the logarithms of their ratios to what is usual of them. A
 * member far above its usual level counts by orders of magnitude, so no member drowns the others.
 */
import type { Member, MemberValues } from './members.ts'
import { quantile } from './peaks.ts'
import { TrailingMean } from './trailing-mean.ts'

/** Which members, over how many samples; chosen on the nodes kept for choosing, see README. */
export interface FusionRecipe {
  readonly members: readonly Member[]
  readonly smoothing: number
}

export interface Recipes {
  /** For ranking: smooth, so that the whole of an anomaly stands out. */
  readonly score: FusionRecipe
  /** For telling: fast. */
  readonly alarm: FusionRecipe
  /** Of a member's past: what it is held against. */
  readonly usualQuantile: number
  /** What is within the usual counts next to nothing, so a member that is quiet does not hide one that is not. */
  readonly isUsualIgnored: boolean
}

/** Of samples less than five minutes apart. */
const FINE: Recipes = {
  score: {
    members: ['suddenMost', 'driftDistance', 'componentMax', 'shapeDistance'],
    smoothing: 5,
  },
  alarm: {
    members: ['driftMax', 'driftDistance', 'componentMax', 'shapeDistance'],
    smoothing: 3,
  },
  usualQuantile: 0.5,
  isUsualIgnored: false,
}

/**
 * In samples of five minutes and more what metrics do by routine in the same minute is averaged out, so that
 * they jump together when something is wrong; in finer ones they do so with every job that starts.
 */
const COARSE: Recipes = {
  score: { members: ['jointJump', 'componentMax', 'shapeDistance'], smoothing: 10 },
  alarm: { members: ['jointJump', 'driftDistance', 'componentMax'], smoothing: 3 },
  usualQuantile: 0.95,
  isUsualIgnored: true,
}
const COARSE_SAMPLES_PER_DAY_MAX = 288

export function recipesFor(samplesPerDay: number): Recipes {
  return samplesPerDay <= COARSE_SAMPLES_PER_DAY_MAX ? COARSE : FINE
}

/** In standard deviations: members are no finer than that, and often 0 where no metric jumps. */
const LEAST = 0.1

interface SmoothMember {
  readonly member: Member
  readonly mean: TrailingMean
  readonly usual: number
  readonly floor: number
}

export class Fusion {
  readonly #members: readonly SmoothMember[]

  /** Learns what is usual of samples in time order, and goes on from their end. */
  constructor(samples: readonly MemberValues[], part: 'score' | 'alarm', recipes: Recipes) {
    const { members, smoothing } = recipes[part]
    this.#members = members.map((member) => {
      const mean = new TrailingMean(smoothing)
      const smooth = Float64Array.from(samples, (values) => mean.push(values[member]))
      const usual = quantile(smooth, recipes.usualQuantile)
      return { member, mean, usual, floor: recipes.isUsualIgnored ? Math.max(LEAST, usual) : LEAST }
    })
  }

  /** 0 when every member is as usual. */
  push(values: MemberValues): number {
    let sum = 0
    for (const { member, mean, usual, floor } of this.#members) {
      sum += Math.log((mean.push(values[member]) + floor) / (usual + floor))
    }
    return sum
  }
}
