/** Waiting for whichever comes first: somebody wakes the sleeper, or the time is over. */
import type { WaitClock } from './log-store.ts'

export class Nap {
  readonly #clock: WaitClock
  #wake: (() => void) | undefined

  constructor(clock: WaitClock) {
    this.#clock = clock
  }

  /** One sleeper at a time. */
  async sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(ms, () => {
        this.#wake = undefined
        resolve()
      })
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
  }

  wake(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
