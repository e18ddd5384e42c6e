/**
 * Runs of an ONNX Runtime session over parts of a matrix. Outputs are written where they belong: the
 * session gets tensors over the arrays that the caller is given.
 */
import { Tensor, type InferenceSession } from 'onnxruntime-node'
import { assert } from '../core/errors.ts'
import type { ModelIo } from './onnx-io.ts'
import type { Scores } from './session.ts'

export interface RunInput {
  readonly name: string
  readonly values: Float32Array | Int32Array
  readonly width: number
}

/** A probability of exactly 0 or 1 still has finite log odds. */
const EDGE = 1e-7

export class OnnxRuns {
  readonly #session: InferenceSession
  readonly #io: ModelIo
  readonly #rowsMax: number
  /** Where a model gives two columns. */
  readonly #pairs: Float32Array

  /** @param rowsMax of one run. */
  constructor(session: InferenceSession, io: ModelIo, rowsMax: number) {
    this.#session = session
    this.#io = io
    this.#rowsMax = rowsMax
    this.#pairs = new Float32Array(io.probability.columns === 2 ? rowsMax * 2 : 0)
  }

  async run(input: RunInput, rowCount: number): Promise<Scores> {
    const scores = {
      probability: new Float32Array(rowCount),
      margin: new Float32Array(rowCount),
    }
    for (let from = 0; from < rowCount; from += this.#rowsMax) {
      await this.#part(input, from, Math.min(this.#rowsMax, rowCount - from), scores)
    }
    if (this.#io.margin === null) addLogOdds(scores)
    return scores
  }

  async #part(
    { name, values, width }: RunInput,
    from: number,
    count: number,
    { probability, margin }: Scores,
  ): Promise<void> {
    const rows = values.subarray(from * width, (from + count) * width)
    const feed =
      rows instanceof Int32Array
        ? new Tensor('int32', rows, [count, width])
        : new Tensor('float32', rows, [count, width])
    const wanted = this.#io.probability
    const isPair = wanted.columns === 2
    const into = isPair
      ? this.#pairs.subarray(0, count * 2)
      : probability.subarray(from, from + count)
    const fetches: Record<string, Tensor> = {
      [wanted.name]: new Tensor(
        'float32',
        into,
        wanted.rank === 1 ? [count] : [count, wanted.columns],
      ),
    }
    if (this.#io.margin !== null) {
      const part = margin.subarray(from, from + count)
      fetches[this.#io.margin] = new Tensor('float32', part, [count, 1])
    }
    await this.#session.run({ [name]: feed }, fetches)
    if (isPair) for (let i = 0; i < count; i++) probability[from + i] = into[2 * i + 1]
  }

  async release(): Promise<void> {
    await this.#session.release()
  }
}

function addLogOdds({ probability, margin }: Scores): void {
  for (const [row, value] of probability.entries()) {
    const p = Math.min(Math.max(value, EDGE), 1 - EDGE)
    margin[row] = Math.log(p / (1 - p))
  }
}

/** Both are [rows]; false also where either is not a number. */
export function isWithinGap(ours: Float32Array, theirs: Float32Array, gapMax: number): boolean {
  assert(ours.length === theirs.length)
  return ours.every((value, row) => Math.abs(value - theirs[row]) <= gapMax)
}
