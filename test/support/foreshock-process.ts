/** The command line as a child process, as people run it: its streams, its exit code, its signals. */
import { spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const ROOT = resolve(import.meta.dirname, '../..')
const LOADER = resolve(ROOT, 'node_modules/tsx/dist/esm/index.mjs')
const POLL_MS = 20
const PATIENCE_MS = 60_000

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface ProcessOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

export interface ForeshockProcess {
  readonly pid: number
  readonly ended: Promise<Ended>
  /** What it has written so far. */
  written(): { readonly stdout: string; readonly stderr: string }
  signal(name: NodeJS.Signals): void
}

/** Settings of the surrounding shell do not reach it; a child that hangs is killed. */
export function startForeshock(
  argv: readonly string[],
  { cwd, env = {} }: ProcessOptions,
): ForeshockProcess {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('FORESHOCK_'))
  const child = spawn(process.execPath, ['--import', LOADER, join(ROOT, 'src/main.ts'), ...argv], {
    cwd,
    env: { ...Object.fromEntries(inherited), ...env },
  })
  const written = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (written.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (written.stderr += text))
  const deadline = setTimeout(() => child.kill('SIGKILL'), 3 * PATIENCE_MS)
  const ended = new Promise<Ended>((resolveEnd) => {
    child.once('close', (code) => {
      clearTimeout(deadline)
      resolveEnd({ code, ...written })
    })
  })
  return {
    pid: child.pid ?? -1,
    ended,
    written: () => ({ ...written }),
    signal: (name) => void child.kill(name),
  }
}

export function foreshock(argv: readonly string[], options: ProcessOptions): Promise<Ended> {
  return startForeshock(argv, options).ended
}

export interface Served {
  readonly process: ForeshockProcess
  readonly url: string
  /** Answers of one route. */
  get(path: string): Promise<{ readonly status: number; readonly body: string }>
  post(path: string, body: BodyInit, type: string): Promise<{ status: number; body: string }>
  /** Until `/readyz` answers with this status; gives what it says. */
  untilReadiness(status: 200 | 503): Promise<string>
  /** SIGTERM, and its end. */
  stop(): Promise<Ended>
}

/** `foreshock serve` on a free port, once its console answers. */
export async function serve(options: ProcessOptions, ...more: readonly string[]): Promise<Served> {
  const running = startForeshock(['serve', '--port', '0', ...more], options)
  let finished: Ended | undefined
  void running.ended.then((ended) => (finished = ended))
  const address = /console at (http:\S+)\n/
  await until(() => finished !== undefined || address.test(running.written().stderr))
  const [, url] = address.exec(running.written().stderr) ?? []
  if (url === undefined) throw new Error(`serve did not start: ${running.written().stderr}`)
  const ask = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(url + path, init)
    return { status: answer.status, body: await answer.text() }
  }
  const get = (path: string) => ask(path)
  return {
    process: running,
    url,
    get,
    post: (path, body, type) =>
      ask(path, { method: 'POST', body, headers: { 'content-type': type } }),
    untilReadiness: async (status) => {
      let answer = await get('/readyz')
      await until(async () => (answer = await get('/readyz')).status === status)
      return answer.body
    },
    stop: () => {
      running.signal('SIGTERM')
      return running.ended
    },
  }
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error('gave up waiting')
    await sleep(POLL_MS)
  }
}
