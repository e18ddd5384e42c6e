/** One process of the service, to be told where to die. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Notice, Order, Point } from './child.ts'

/** Of each log, unless told otherwise. */
const PARTITIONS = 8
const CHILD = join(import.meta.dirname, 'child.ts')

export class ServiceProcess {
  readonly #child: ChildProcess
  readonly #ended: Promise<string>
  #ready: Notice['ready'] = { ingest: 0, watcher: 0, coordinator: 0 }
  #signal: string | undefined
  #changed: () => void = () => undefined

  constructor(
    brokers: readonly string[],
    prefix: string,
    stateDirectory: string,
    partitions = PARTITIONS,
    /** Of its watchers; none when empty. */
    model = '',
  ) {
    this.#child = spawn(
      process.execPath,
      ['--import', 'tsx', CHILD, brokers.join(), prefix, stateDirectory, String(partitions), model],
      { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
    )
    this.#child.on('message', ({ ready }: Notice) => {
      this.#ready = ready
      this.#changed()
    })
    this.#ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#signal = signal ?? `exit code ${code}`
        this.#changed()
        resolve(this.#signal)
      })
    })
  }

  /** It owns a restored partition of every role. */
  async untilReady(deadlineMs: number): Promise<void> {
    const isReady = (): boolean => Object.values(this.#ready).every((count) => count > 0)
    const settled = new Promise<void>((resolve) => {
      this.#changed = () => {
        if (isReady() || this.#signal !== undefined) resolve()
      }
      this.#changed()
    })
    await within(settled, deadlineMs, () => `not ready: ${JSON.stringify(this.#ready)}`)
    if (!isReady()) throw new Error(`the service ended before it was ready: ${this.#signal}`)
  }

  async dieAt(at: Point, deadlineMs: number): Promise<void> {
    this.#tell({ kind: 'die', at })
    const signal = await within(this.#ended, deadlineMs, () => `${at.role} lives on at ${at.step}`)
    if (signal !== 'SIGKILL') throw new Error(`the service ended by ${signal}, not by our order`)
  }

  /** Hands its partitions over and ends. */
  async stop(deadlineMs: number): Promise<void> {
    if (this.#signal !== undefined) return
    this.#tell({ kind: 'stop' })
    await within(this.#ended, deadlineMs, () => 'the service does not stop').catch(
      (error: unknown) => {
        this.kill()
        throw error
      },
    )
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #tell(order: Order): void {
    this.#child.send(order)
  }
}

async function within<Value>(
  promise: Promise<Value>,
  deadlineMs: number,
  trouble: () => string,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${trouble()} after ${deadlineMs} ms`)), deadlineMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
