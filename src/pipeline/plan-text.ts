/** Plans in sentences for people. */
import { never } from '../core/errors.ts'
import type { NodeId } from '../core/ids.ts'
import { lasting } from '../decide/explain.ts'
import type { Dropped } from '../recover/dependencies.ts'
import type { PlanOutcome, PlanStrategy } from '../recover/plan.ts'
import type { Step } from '../recover/step.ts'

/** Steps that are named; a plan may have thousands. */
const NAMED_MAX = 16

export function stepsSentences(steps: readonly Step[], isMore: boolean): readonly string[] {
  const count = `${steps.length} ${isMore ? 'more ' : ''}step${steps.length === 1 ? '' : 's'}`
  const first = `The plan has ${count}: ${named(steps.map(({ stepId }) => stepId))}.`
  // That a recovery comes after its fence goes without saying.
  const ordered = steps.flatMap(({ stepId, after }) => {
    const before = after.filter((other) => other.includes(':'))
    return before.length === 0 ? [] : [`Step ${stepId} comes after ${named(before)}.`]
  })
  const more = ordered.length - NAMED_MAX
  const rest = more > 0 ? [`And so on for ${more} more steps.`] : []
  return [first, ...ordered.slice(0, NAMED_MAX), ...rest]
}

export function circleSentence({ workload, dependency, circle }: Dropped): string {
  const around = `Workloads depend on each other in a circle: ${named(circle, ' → ')}.`
  return `${around} ${workload} does not wait for ${dependency}, the least urgent of them.`
}

export interface EndedPlan {
  readonly strategy: PlanStrategy
  readonly outcome: PlanOutcome
  readonly node: NodeId
  readonly stepCount: number
  readonly doneCount: number
  readonly compensatedCount: number
  readonly durationMs: number
}

export function endSentences(plan: EndedPlan): readonly string[] {
  const { strategy, outcome, node, stepCount, doneCount, durationMs, compensatedCount } = plan
  const what = `The plan to ${verbOf(strategy)} node ${node}`
  const did = `${doneCount} of ${stepCount} steps in ${lasting(durationMs)}`
  const undone = compensatedCount === 0 ? [] : [`${compensatedCount} of its steps are taken back.`]
  return [`${what} ${endOf(outcome)}: ${did}.`, ...undone]
}

function verbOf(strategy: PlanStrategy): string {
  switch (strategy) {
    case 'wait':
      return 'wait for'
    case 'restart':
      return 'restart'
    case 'migrate':
      return 'migrate the work of'
    case 'fail-over':
      return 'fail over'
    case 'redistribute':
      return 'relieve'
    case 'replicate':
      return 'mend the data of'
    case 'return':
      return 'let back'
    default:
      return never(strategy)
  }
}

function endOf(outcome: PlanOutcome): string {
  switch (outcome) {
    case 'done':
      return 'is done'
    case 'rehearsed':
      return 'was rehearsed'
    case 'failed':
      return 'has failed: tries are used up'
    case 'halted':
      return 'is halted by people'
    case 'needless':
      return 'is needless, for its reason is gone'
    case 'superseded':
      return 'gives way to another'
    case 'lost':
      return 'ends with its node'
    default:
      return never(outcome)
  }
}

function named(names: readonly string[], between = ', '): string {
  const more = names.length - NAMED_MAX
  const shown = names.slice(0, NAMED_MAX).join(between)
  return more > 0 ? `${shown} and ${more} more` : shown
}
