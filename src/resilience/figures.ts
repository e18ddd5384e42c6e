/** Several guards of one target, in threads of their own, are one to whoever looks: the worst counts. */
import { type BreakerState, type CallOutcome, type GuardFigures } from '../core/guard.ts'

const WORST: readonly BreakerState[] = ['closed', 'half-open', 'open']

export function mergeFigures(all: readonly GuardFigures[]): readonly GuardFigures[] {
  const merged = new Map<string, GuardFigures>()
  for (const figures of all) {
    const before = merged.get(figures.target)
    merged.set(figures.target, before === undefined ? figures : mergeTwo(before, figures))
  }
  return [...merged.values()]
}

function mergeTwo(a: GuardFigures, b: GuardFigures): GuardFigures {
  const worse = WORST.indexOf(b.state) > WORST.indexOf(a.state) ? b : a
  const times = [a.failingSinceMs, b.failingSinceMs].filter((atMs) => atMs !== null)
  const calls: Partial<Record<CallOutcome, number>> = { ...a.calls }
  for (const [outcome, count] of Object.entries(b.calls)) {
    calls[outcome as CallOutcome] = (calls[outcome as CallOutcome] ?? 0) + count
  }
  return {
    target: a.target,
    state: worse.state,
    failingSinceMs: times.length === 0 ? null : Math.min(...times),
    lastError: worse.lastError ?? a.lastError ?? b.lastError,
    calls,
  }
}
