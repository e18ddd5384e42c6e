/**
 * A predictor that cannot be lost: rows go to the GPU until it fails once, and those rows and all later
 * ones to the CPU. Both say the same to 1e-5, so nothing is decided otherwise; `provider` says which.
 */
import type { ModelCard } from '../core/model.ts'
import type { Predictor, Scores } from './session.ts'

/** What may fail: a device in this thread, or another thread that has one. */
export type LosablePredictor = Omit<Predictor, 'card'>

export class FallbackPredictor implements Predictor {
  readonly card: ModelCard
  readonly #onLost: (reason: string) => void
  readonly #local: Predictor
  #device: LosablePredictor | null

  /** @param onLost is told once, with what the device said. */
  constructor(device: LosablePredictor, local: Predictor, onLost: (reason: string) => void) {
    this.card = local.card
    this.#device = device
    this.#local = local
    this.#onLost = onLost
  }

  get provider(): string {
    return (this.#device ?? this.#local).provider
  }

  async predict(matrix: Float32Array, rowCount: number): Promise<Scores> {
    const device = this.#device
    if (device === null) return this.#local.predict(matrix, rowCount)
    try {
      return await device.predict(matrix, rowCount)
    } catch (error) {
      await this.#lose(device, error)
      return this.#local.predict(matrix, rowCount)
    }
  }

  async dispose(): Promise<void> {
    await this.#device?.dispose()
    await this.#local.dispose()
  }

  async #lose(device: LosablePredictor, error: unknown): Promise<void> {
    // Two calls that were under way fail together, and it is lost once.
    if (this.#device === null) return
    this.#device = null
    const reason = error instanceof Error ? error.message : String(error)
    this.#onLost(`${device.provider} was lost (${reason.trim()}); ${this.#local.provider} goes on`)
    try {
      await device.dispose()
    } catch {
      // A device that is lost may fail to be let go, too; nothing is left to be done about it.
    }
  }
}
