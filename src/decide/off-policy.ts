/**
 * What another way of choosing would have cost, from what was done: incidents in which chance chose as it
 * would have count for all of them, each by how unlikely that was (self-normalised importance sampling).
 */
import type { JournalEntry } from '../core/command.ts'
import type { Evidence, FaultKind, Severity } from '../core/fault.ts'
import type { ChoiceCause, ChoiceContext, Strategy } from '../core/strategy.ts'
import { rungsAfter } from './choose.ts'

/** One choice as the journal has it. */
export interface LoggedChoice {
  readonly context: ChoiceContext
  readonly after: Strategy | null
  readonly strategy: Strategy
  readonly propensityRatio: number
}

/** An incident that is over: its choices in order, and what they cost together. */
export interface LoggedIncident {
  readonly choices: readonly LoggedChoice[]
  readonly costS: number
}

export interface Estimate {
  /** Of one incident; null where nothing was done that the other way would have done. */
  readonly costS: number | null
  /** So many incidents, all alike in weight, would say as much (Kish). */
  readonly effectiveCount: number
}

/** Those of the journal in which every strategy was carried out and has ended. */
export function loggedIncidents(entries: Iterable<JournalEntry>): readonly LoggedIncident[] {
  const choices = new Map<string, LoggedChoice[]>()
  const costs = new Map<string, number[]>()
  for (const { kind, incidentId, evidence } of entries) {
    if (incidentId === null) continue
    if (kind === 'choice') put(choices, incidentId, choiceOf(evidence))
    else if (kind === 'trial') {
      const cost = valueOf(evidence, 'costS')
      put(costs, incidentId, typeof cost === 'number' ? cost : Number.NaN)
    }
  }
  return [...choices].flatMap(([incidentId, made]) => {
    const ended = costs.get(incidentId) ?? []
    const costS = ended.reduce((sum, cost) => sum + cost, 0)
    return ended.length < made.length || Number.isNaN(costS) ? [] : [{ choices: made, costS }]
  })
}

function choiceOf(evidence: readonly Evidence[]): LoggedChoice {
  const [cause, kind, severity] = String(valueOf(evidence, 'context')).split('/')
  const context = {
    cause: cause as ChoiceCause,
    kind: kind as FaultKind,
    severity: severity as Severity,
  }
  const after = (valueOf(evidence, 'after') ?? null) as Strategy | null
  const strategy = valueOf(evidence, 'strategy') as Strategy
  return { context, after, strategy, propensityRatio: Number(valueOf(evidence, 'propensity')) }
}

function valueOf(evidence: readonly Evidence[], name: string): Evidence['value'] | undefined {
  return evidence.find(({ what }) => what === name)?.value
}

function put<Value>(lists: Map<string, Value[]>, key: string, value: Value): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}

/** Always this rung first (the last where it is not allowed), and then rung by rung. */
export function estimateFixed(incidents: readonly LoggedIncident[], first: Strategy): Estimate {
  let [weights, squares, costs] = [0, 0, 0]
  for (const { choices, costS } of incidents) {
    const weight = choices.reduce((product, choice) => {
      return (
        product * (choice.strategy === fixedRung(choice, first) ? 1 / choice.propensityRatio : 0)
      )
    }, 1)
    weights += weight
    squares += weight * weight
    costs += weight * costS
  }
  if (weights === 0) return { costS: null, effectiveCount: 0 }
  return { costS: costs / weights, effectiveCount: (weights * weights) / squares }
}

function fixedRung({ context, after }: LoggedChoice, first: Strategy): Strategy | undefined {
  const rungs = rungsAfter(context, after)
  if (after !== null) return rungs[0]
  return rungs.includes(first) ? first : rungs.at(-1)
}
