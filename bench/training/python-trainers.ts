/**
 * LightGBM and XGBoost as trainers, in a Python process that stays up. Their environment, pinned, is
 * made in .cache/bench when it is first asked for.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { BinnedRows } from '../../training/bins.ts'
import type { BoostParams } from '../../training/boost.ts'

const PACKAGES = ['numpy==2.4.6', 'scipy==1.17.1', 'lightgbm==4.6.0', 'xgboost-cpu==3.2.0']
const CACHE = join(import.meta.dirname, '../../.cache/bench')
const VENV = join(CACHE, 'training-venv')
const MISSING = 255

export type Rival = 'lightgbm' | 'lightgbm-quantised' | 'xgboost'

/** CPU time of one training, and the margins of the test rows. */
export interface Trained {
  readonly binMs: number
  readonly trainMs: number
  readonly margins: Float64Array
}

export class PythonTrainers {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  private constructor(child: ChildProcess, lines: AsyncIterator<string>) {
    this.#child = child
    this.#lines = lines
  }

  /** A text says why there are none. */
  static async start(log: (text: string) => void): Promise<PythonTrainers | string> {
    const python = environment(log)
    if (python === null) return 'no Python with lightgbm and xgboost'
    const script = join(import.meta.dirname, 'trainers.py')
    const env = { ...process.env, OMP_NUM_THREADS: '1' }
    const child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'inherit'], env })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const greeting = await lines.next()
    if (greeting.done === true) return 'the Python process ended at once'
    return new PythonTrainers(child, lines)
  }

  /** `rows` and `test` are written down as bin numbers: see `writeRows`. */
  async train(rival: Rival, folder: string, width: number, params: BoostParams): Promise<Trained> {
    const request = {
      rival,
      folder,
      width,
      trees: params.treesMax,
      leaves: params.leavesMax,
      rate: params.learningRate,
      rows_min: params.rowsMin,
      hessian_min: params.hessianMin,
      l2: params.l2,
      feature_ratio: params.featureRatio,
      seed: params.seed,
    }
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`)
    const answer = await this.#lines.next()
    if (answer.done === true) throw new Error(`the rivals failed at: ${rival}`)
    const { binMs, trainMs } = JSON.parse(answer.value) as { binMs: number; trainMs: number }
    const bytes = readFileSync(join(folder, `${rival}.f64`))
    const margins = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8)
    return { binMs, trainMs, margins }
  }

  close(): void {
    this.#child.stdin?.end()
  }
}

/** Writes both for `train` and returns the folder. */
export function writeRows(name: string, rows: BinnedRows, test: BinnedRows): string {
  const folder = join(CACHE, `training-${name}`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'train.f32'), binNumbers(rows))
  writeFileSync(join(folder, 'train.u8'), rows.labels)
  writeFileSync(join(folder, 'train.w'), rows.weights)
  writeFileSync(join(folder, 'test.f32'), binNumbers(test))
  return folder
}

function binNumbers({ bins, rowCount, featureCount, stride }: BinnedRows): Float32Array {
  const numbers = new Float32Array(rowCount * featureCount)
  for (let row = 0; row < rowCount; row++) {
    for (let f = 0; f < featureCount; f++) {
      const bin = bins[row * stride + f]
      numbers[row * featureCount + f] = bin === MISSING ? NaN : bin
    }
  }
  return numbers
}

/** The Python that has the packages; null where there is none or they cannot be installed. */
function environment(log: (text: string) => void): string | null {
  const python = join(VENV, 'bin', 'python')
  const isThere = () => spawnSync(python, ['-c', 'import lightgbm, xgboost']).status === 0
  if (existsSync(python) && isThere()) return python
  log('installing LightGBM and XGBoost into .cache/bench')
  mkdirSync(CACHE, { recursive: true })
  if (spawnSync('python3', ['-m', 'venv', VENV]).status !== 0) return null
  spawnSync(python, ['-m', 'pip', 'install', '--quiet', ...PACKAGES])
  return isThere() ? python : null
}
