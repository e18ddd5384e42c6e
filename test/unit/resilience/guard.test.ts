// Goal: a target that fails is asked as often as the rules say and no more, and is let back when it works.
// Method: fake timers, so that minutes pass at once; the target is a counter of what it was asked.
import { circuitBreaker, ConsecutiveBreaker, handleAll } from 'cockatiel'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  CallFailure,
  CallRefused,
  DEFAULT_GUARD,
  type GuardRules,
} from '../../../src/core/guard.ts'
import { mergeFigures } from '../../../src/resilience/figures.ts'
import { Guards } from '../../../src/resilience/guard.ts'
import { PAUSE_MAX_MS, RetryPace } from '../../../src/resilience/retry-pace.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const ONE_TRY = { ...DEFAULT_GUARD, attemptsMax: 1 }

function guardOf(rules: GuardRules = ONE_TRY) {
  return new Guards(rules, { random: () => 0.5, nowMs: () => Date.now() }).of('target')
}

/** Fails while `down`; asked so often. */
class Target {
  down = true
  asked = 0
  readonly ask = async () => {
    this.asked++
    if (this.down) throw new Error('it is down')
    return 'answer'
  }
}

const outcomeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'answer',
    (error: unknown) => (error instanceof CallRefused ? 'refused' : 'failed'),
  )

async function fail(guard: ReturnType<typeof guardOf>, target: Target, times: number) {
  for (let time = 0; time < times; time++) await outcomeOf(guard.call('normal', target.ask))
}

describe('breaker', () => {
  test('opens after five failures in a row, refuses for 60 s, and closes after three proofs', async () => {
    const [guard, target] = [guardOf(), new Target()]
    await fail(guard, target, 4)
    expect(guard.state).toBe('closed')
    await fail(guard, target, 1)
    expect(guard.state).toBe('open')
    await vi.advanceTimersByTimeAsync(59_999)
    expect(await outcomeOf(guard.call('normal', target.ask))).toBe('refused')
    expect(target.asked).toBe(5)
    await vi.advanceTimersByTimeAsync(1)
    target.down = false
    for (const after of ['half-open', 'half-open', 'closed']) {
      expect(await outcomeOf(guard.call('normal', target.ask))).toBe('answer')
      expect(guard.state).toBe(after)
    }
    expect(guard.figures()).toMatchObject({
      failingSinceMs: null,
      lastError: 'it is down',
      calls: { failed: 5, refused: 1, succeeded: 3 },
    })
  })

  test('a failure among the proofs opens it for another 60 s, where the library would be closed', async () => {
    const [guard, target] = [guardOf(), new Target()]
    const bare = circuitBreaker(handleAll, {
      halfOpenAfter: 60_000,
      breaker: new ConsecutiveBreaker(5),
    })
    const asked = { bare: new Target() }
    await fail(guard, target, 5)
    for (let time = 0; time < 5; time++) await outcomeOf(bare.execute(asked.bare.ask))
    await vi.advanceTimersByTimeAsync(60_000)
    for (const down of [false, true]) {
      target.down = asked.bare.down = down
      await outcomeOf(guard.call('normal', target.ask))
      await outcomeOf(bare.execute(asked.bare.ask))
    }
    expect(guard.state).toBe('open')
    await outcomeOf(guard.call('normal', target.ask))
    await outcomeOf(bare.execute(asked.bare.ask))
    expect(target.asked).toBe(7)
    expect(asked.bare.asked).toBe(8)
  })

  test('of twenty calls at once on a half-open breaker three are made', async () => {
    const [guard, target] = [guardOf({ ...ONE_TRY, concurrencyMax: 32 }), new Target()]
    await fail(guard, target, 5)
    await vi.advanceTimersByTimeAsync(60_000)
    target.down = false
    target.asked = 0
    const slow = async () => {
      await new Promise((resolve) => setTimeout(resolve, 100))
      return target.ask()
    }
    const calls = Array.from({ length: 20 }, () => outcomeOf(guard.call('normal', slow)))
    await vi.advanceTimersByTimeAsync(1_000)
    const outcomes = await Promise.all(calls)
    expect(outcomes.filter((outcome) => outcome === 'answer')).toHaveLength(3)
    expect(target.asked).toBe(3)
    expect(guard.state).toBe('closed')
  })
})

test('the bulkhead takes so many at once, keeps so many waiting, and refuses the rest', async () => {
  const guard = guardOf({ ...ONE_TRY, concurrencyMax: 2, queueMax: 3 })
  let [running, most] = [0, 0]
  const work = async () => {
    most = Math.max(most, ++running)
    await new Promise((resolve) => setTimeout(resolve, 10))
    running--
  }
  const calls = Array.from({ length: 7 }, () => outcomeOf(guard.call('low', work)))
  await vi.advanceTimersByTimeAsync(100)
  expect((await Promise.all(calls)).sort()).toEqual([
    ...Array<string>(5).fill('answer'),
    'refused',
    'refused',
  ])
  expect(most).toBe(2)
})

test.each([
  { priority: 'critical', ms: 5_000 },
  { priority: 'normal', ms: 15_000 },
  { priority: 'low', ms: 60_000 },
] as const)('a $priority call that hangs ends after $ms ms, aborted', async ({ priority, ms }) => {
  const guard = guardOf()
  let aborted = false
  const call = guard.call(priority, (signal) => {
    signal.addEventListener('abort', () => (aborted = true))
    return new Promise(() => undefined)
  })
  const ended = expect(call).rejects.toThrow('did not answer in time')
  await vi.advanceTimersByTimeAsync(ms - 1)
  expect(guard.figures().calls).toEqual({})
  await vi.advanceTimersByTimeAsync(1)
  await ended
  expect(aborted).toBe(true)
  expect(guard.figures().calls).toEqual({ 'timed-out': 1 })
})

describe('retries', () => {
  test('a failure that may pass is tried again, one that does not is not', async () => {
    const guard = guardOf(DEFAULT_GUARD)
    let asked = 0
    const call = guard.call('normal', async () => {
      if (++asked < 3) throw new CallFailure('it answered 503', true)
      return asked
    })
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await call).toBe(3)
    const refused = guard.call('normal', async () => {
      asked++
      throw new CallFailure('it answered 401', false)
    })
    await expect(refused).rejects.toThrow('it answered 401')
    expect(asked).toBe(4)
    expect(guard.figures().calls).toEqual({ retried: 2, succeeded: 1, failed: 1 })
  })

  test('a target that is down gets one try a call once the retries are paid out', () => {
    const pace = new RetryPace(() => 0.5)
    for (let failure = 0; failure < 9; failure++) pace.failed()
    expect(pace.mayRetry()).toBe(true)
    pace.failed()
    expect(pace.mayRetry()).toBe(false)
    pace.succeeded(10)
    expect(pace.mayRetry()).toBe(true)
  })

  test('pauses follow how long answers take, double, are spread, and heed what is asked for', () => {
    let random = 0.5
    const pace = new RetryPace(() => random)
    expect([1, 2, 3].map((attempt) => pace.pauseMs(attempt, null))).toEqual([100, 200, 400])
    for (let success = 0; success < 50; success++) pace.succeeded(1_000)
    expect(pace.pauseMs(1, null)).toBeCloseTo(1_000, 0)
    random = 0
    expect(pace.pauseMs(1, null)).toBeCloseTo(500, 0)
    expect(pace.pauseMs(1, new CallFailure('it answered 429', true, 3_000))).toBe(3_000)
    expect(pace.pauseMs(9, new CallFailure('it answered 429', true, 60_000))).toBe(PAUSE_MAX_MS)
  })
})

test('guards of one target in several threads are one: the worst state, calls added up', () => {
  const one = { target: 't', failingSinceMs: 5, lastError: 'a' }
  expect(
    mergeFigures([
      { ...one, state: 'closed', failingSinceMs: null, calls: { succeeded: 1 } },
      { ...one, state: 'open', calls: { failed: 2, succeeded: 1 } },
      { ...one, target: 'u', state: 'closed', calls: {} },
    ]),
  ).toEqual([
    { ...one, state: 'open', calls: { failed: 2, succeeded: 2 } },
    { ...one, target: 'u', state: 'closed', calls: {} },
  ])
})
