/** The Rust program of bench/ring/rs, built on demand and asked in turns over its standard streams. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

const BUILD_MS_MAX = 240_000
const root = resolve(import.meta.dirname, '../..')

export interface RustAnswer {
  /** Of one pass over all keys, as the program itself measured it. */
  readonly ms: number
  readonly checksum: number
}

export class RustRival {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>

  private constructor(program: string, keyCount: number) {
    this.#child = spawn(program, [String(keyCount)])
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** The reason in words where it cannot be built. */
  static build(keyCount: number): RustRival | string {
    const folder = join(root, '.cache', 'bench', 'ring')
    mkdirSync(folder, { recursive: true })
    cpSync(join(import.meta.dirname, 'rs'), folder, { recursive: true })
    const { status, error } = spawnSync('cargo', ['build', '--release', '--quiet'], {
      cwd: folder,
      timeout: BUILD_MS_MAX,
      stdio: 'ignore',
      env: { ...process.env, CARGO_TARGET_DIR: join(folder, 'target') },
    })
    if (error !== undefined) return 'no cargo'
    if (status !== 0) return 'cargo could not build it'
    return new RustRival(join(folder, 'target', 'release', 'ring-rival'), keyCount)
  }

  async ask(what: 'same' | 'crate'): Promise<RustAnswer> {
    this.#child.stdin.write(`${what}\n`)
    const line = await this.#lines.next()
    if (line.done === true) throw new Error('the Rust rival has ended')
    const [ms, checksum] = line.value.split(' ').map(Number)
    return { ms, checksum }
  }

  close(): void {
    this.#child.stdin.end()
  }
}
