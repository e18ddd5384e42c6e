/**
 * LightGBM and lleaves in a Python process that stays up: one line asks for one piece of work and is
 * answered when it is done. Their environment is made in .cache/bench when it is first asked for.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { toLightGbm } from './lightgbm-text.ts'
import type { Booster } from '../../training/booster.ts'

const PACKAGES = ['numpy==2.4.6', 'lightgbm==4.6.0']
/** lleaves asks for any llvmlite, and later ones have dropped what it calls. */
const LLEAVES = ['lleaves==1.3.0', 'llvmlite==0.43.0']
const CACHE = join(import.meta.dirname, '../../.cache/bench')
const VENV = join(CACHE, 'trees-venv')

/** `contributions`: LightGBM's TreeSHAP. */
export type RivalName = 'lightgbm' | 'lleaves' | 'contributions'

export class PythonRivals {
  readonly names: readonly string[]
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, names: readonly string[]) {
    this.#child = child
    this.#lines = lines
    this.names = names
  }

  /** A text says why there are none. */
  static async start(
    booster: Booster,
    rows: Float32Array,
    passes: number,
    wanted: readonly RivalName[],
    log: (text: string) => void,
  ): Promise<PythonRivals | string> {
    const python = environment(log)
    if (python === null) return 'no Python with lightgbm'
    const [model, data] = [join(CACHE, 'trees.txt'), join(CACHE, 'trees.f32')]
    writeFileSync(model, toLightGbm(booster))
    writeFileSync(data, rows)
    const script = join(import.meta.dirname, 'rivals.py')
    const sizes = [String(booster.featureCount), String(passes)]
    const args = [script, model, data, ...sizes, wanted.join()]
    const child = spawn(python, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const greeting = await lines.next()
    if (greeting.done === true) return 'the Python process ended at once'
    return new PythonRivals(child, lines, greeting.value.split(' '))
  }

  /** All passes over the rows. */
  async score(name: string): Promise<void> {
    await this.#ask(name)
  }

  /** Of each row its margin; of `contributions` those of the features, and the base. */
  async results(name: string): Promise<Float64Array> {
    const file = join(CACHE, `trees-${name}.f64`)
    await this.#ask(`${name} ${file}`)
    const bytes = readFileSync(file)
    return new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8)
  }

  close(): void {
    this.#child.stdin?.end()
  }

  async #ask(request: string): Promise<void> {
    this.#child.stdin?.write(`${request}\n`)
    const answer = await this.#lines.next()
    if (answer.value !== 'done') throw new Error(`the rivals failed at: ${request}`)
  }
}

/** The Python that has the packages; null where there is none or they cannot be installed. */
function environment(log: (text: string) => void): string | null {
  const python = join(VENV, 'bin', 'python')
  const isThere = () => spawnSync(python, ['-c', 'import lightgbm, numpy']).status === 0
  if (existsSync(python) && isThere()) return python
  log('installing LightGBM and lleaves into .cache/bench')
  mkdirSync(CACHE, { recursive: true })
  if (spawnSync('python3', ['-m', 'venv', VENV]).status !== 0) return null
  const install = (packages: readonly string[]) =>
    spawnSync(python, ['-m', 'pip', 'install', '--quiet', ...packages]).status === 0
  if (!install(PACKAGES)) return null
  // LLVM is not on every machine; the bench says so when it finds no lleaves.
  install(LLEAVES)
  return isThere() ? python : null
}
