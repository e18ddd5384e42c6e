/** From which probability on a pool acts, by its policy and the model's card. */
import type { AlertBudgetPoint, ModelRef } from '../core/assessment.ts'
import { never } from '../core/errors.ts'
import type { ActingPoint } from '../core/policy.ts'

/** `null`: the policy asks for a point that this model's card does not give; nothing is acted on. */
export function actingPointOf(actingPoint: ActingPoint, model: ModelRef | null): number | null {
  switch (actingPoint.kind) {
    case 'threshold':
      return actingPoint.probability
    case 'card':
      return model?.actingPoint ?? null
    case 'alert-budget':
      return pointAtBudget(model?.alertBudgets ?? [], actingPoint.falseAlarmsPer1000NodeMonths)
    case 'cost':
      return cheapestProbability(actingPoint.action, actingPoint.failure)
    default:
      return never(actingPoint)
  }
}

/**
 * Where acting and waiting cost the same in expectation: acting costs `action`, waiting costs p ×
 * `failure`. It asks for honest probabilities, and for no figure of the model's card.
 * Source: C. Elkan, The foundations of cost-sensitive learning, IJCAI 2001, section 1.
 */
function cheapestProbability(action: number, failure: number): number {
  return Math.min(1, action / failure)
}

/**
 * Linear between the card's points. Below the smallest budget that was measured nothing is known,
 * so the strictest point counts; above the largest one the loosest does.
 */
function pointAtBudget(points: readonly AlertBudgetPoint[], budget: number): number | null {
  const sorted = [...points].sort(
    (a, b) => a.falseAlarmsPer1000NodeMonths - b.falseAlarmsPer1000NodeMonths,
  )
  const above = sorted.findIndex((point) => point.falseAlarmsPer1000NodeMonths >= budget)
  if (above === -1) return sorted.at(-1)?.probability ?? null
  const high = sorted[above]
  const low = sorted[above - 1]
  if (low === undefined) return high.probability
  const span = high.falseAlarmsPer1000NodeMonths - low.falseAlarmsPer1000NodeMonths
  const ratio = (budget - low.falseAlarmsPer1000NodeMonths) / span
  return low.probability + ratio * (high.probability - low.probability)
}
