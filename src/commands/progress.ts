/** Progress on stderr: a line that redraws itself on a terminal, a plain line now and then elsewhere. */
import type { Io } from './command.ts'

const BAR_WIDTH = 24
const REDRAW_MS = 100
const LINE_MS = 5_000

export class Progress {
  readonly #io: Io
  readonly #label: string
  readonly #startedAtMs: number
  #shownAtMs = Number.NEGATIVE_INFINITY
  #width = 0

  constructor(io: Io, label: string) {
    this.#io = io
    this.#label = label
    this.#startedAtMs = io.nowMs()
  }

  /** Cheap to call often. `doneRatio` null: the end is not known. */
  update(doneRatio: number | null, remark = ''): void {
    const nowMs = this.#io.nowMs()
    if (nowMs - this.#shownAtMs < (this.#io.isTTY ? REDRAW_MS : LINE_MS)) return
    this.#shownAtMs = nowMs
    this.#show(this.#text(doneRatio, remark), false)
  }

  /** The last line always appears. */
  done(remark = ''): void {
    this.#show(this.#text(1, remark), true)
  }

  #text(doneRatio: number | null, remark: string): string {
    const seconds = (this.#io.nowMs() - this.#startedAtMs) / 1_000
    const ratio = doneRatio === null ? null : Math.min(1, Math.max(0, doneRatio))
    const filled = ratio === null ? 0 : Math.round(ratio * BAR_WIDTH)
    const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}]`
    const parts = [this.#label]
    if (ratio !== null && this.#io.isTTY) parts.push(bar)
    if (ratio !== null) parts.push(`${Math.floor(ratio * 100)} %`)
    parts.push(`${seconds.toFixed(0)} s`)
    if (remark !== '') parts.push(remark)
    return parts.join('  ')
  }

  #show(text: string, last: boolean): void {
    if (!this.#io.isTTY) {
      this.#io.stderr(`${text}\n`)
      return
    }
    this.#io.stderr(`\r${text.padEnd(this.#width)}${last ? '\n' : ''}`)
    this.#width = text.length
  }
}
