import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import type { Watched } from '../../../../src/bus/kafka/watchdog.ts'
import { Watchdog } from '../../../../src/bus/kafka/watchdog.ts'

class FakeLease implements Watched {
  progress = 0
  started = true
  untaken = 0
  waiting = 0
  behind(): Promise<number> {
    return Promise.resolve(this.waiting)
  }
}

const LIMIT_MS = 1_000

describe('the watchdog', () => {
  const lease = new FakeLease()
  let restarts = 0
  let watchdog: Watchdog

  beforeEach(() => {
    vi.useFakeTimers()
    Object.assign(lease, { progress: 0, started: true, untaken: 0, waiting: 0 })
    restarts = 0
    watchdog = new Watchdog({
      limitMs: LIMIT_MS,
      leases: () => [lease],
      restart: () => void (restarts += 1),
    })
  })
  afterEach(() => {
    watchdog.stop()
    vi.useRealTimers()
  })

  test('begins the consumer anew when records wait and nothing is fetched', async () => {
    lease.waiting = 5
    await vi.advanceTimersByTimeAsync(LIMIT_MS)
    expect([watchdog.stuckCount, restarts]).toEqual([0, 0])
    await vi.advanceTimersByTimeAsync(LIMIT_MS / 2)
    expect(watchdog.stuckCount).toBe(1)
    expect(restarts).toBeGreaterThan(0)
  })

  test('tells of a fold that takes nothing, which no new consumer can mend', async () => {
    Object.assign(lease, { waiting: 5, untaken: 5 })
    await vi.advanceTimersByTimeAsync(2 * LIMIT_MS)
    expect([watchdog.stuckCount, restarts]).toEqual([1, 0])
    lease.progress += 1
    await vi.advanceTimersByTimeAsync(LIMIT_MS / 2)
    expect(watchdog.stuckCount).toBe(0)
  })

  test('leaves alone what is caught up, moves, or is unreachable', async () => {
    await vi.advanceTimersByTimeAsync(3 * LIMIT_MS)
    lease.waiting = 5
    for (let i = 0; i < 10; i++) {
      lease.progress += 1
      await vi.advanceTimersByTimeAsync(LIMIT_MS / 2)
    }
    lease.behind = () => Promise.reject(new Error('no broker'))
    await vi.advanceTimersByTimeAsync(3 * LIMIT_MS)
    expect([watchdog.stuckCount, restarts]).toEqual([0, 0])
  })
})
