/** The worker thread of the watchers: it hosts one fold per owned partition and answers in order. */
import { parentPort, workerData } from 'node:worker_threads'
import { assert, isServiceError, never } from '../core/errors.ts'
import type { Fold } from './fold.ts'
import {
  startLocalHost,
  type ThreadAnswer,
  type ThreadGreeting,
  type ThreadNote,
  type ThreadRequest,
  type WatcherSetup,
} from './watcher-host.ts'

const port = parentPort
assert(port !== null, 'this file runs in a worker thread')

function explain(error: unknown): { ok: false; message: string; code: ThreadErrorCode } {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return isServiceError(error)
    ? { ok: false, message: error.message, code: error.code }
    : { ok: false, message, code: null }
}
type ThreadErrorCode = Extract<ThreadGreeting, { ok: false }>['code']

/** Values that have their memory for themselves are moved, the others (small ones) copied. */
function ownBuffers(answer: ThreadAnswer): readonly ArrayBuffer[] {
  if (!answer.ok) return []
  const own = answer.outputs.flatMap(({ value }) => {
    if (!(value instanceof Uint8Array) || value.length < MOVED_BYTES_MIN) return []
    const { buffer } = value
    return buffer instanceof ArrayBuffer && buffer.byteLength === value.length ? [buffer] : []
  })
  return answer.value === null ? own : [...own, answer.value.buffer]
}
const MOVED_BYTES_MIN = 4_096

const NO_OUTPUTS = { ok: true, outputs: [], stats: {}, value: null } as const

try {
  const host = await startLocalHost(workerData as WatcherSetup, (note) =>
    port.postMessage({ note } satisfies ThreadNote),
  )
  const folds = new Map<number, Fold>()
  const answer = async (request: ThreadRequest): Promise<ThreadAnswer> => {
    const { id } = request
    switch (request.kind) {
      case 'open':
        folds.set(request.fold, await host.createFold(request.partition))
        return { id, ...NO_OUTPUTS }
      case 'drop':
        folds.delete(request.fold)
        return { id, ...NO_OUTPUTS }
      case 'fold': {
        const fold = folds.get(request.fold)
        assert(fold !== undefined, `fold ${request.fold} is not open`)
        const outputs = await fold.fold(request.record)
        return { id, ok: true, outputs, stats: fold.stats(), value: request.record.value }
      }
      default:
        return never(request)
    }
  }
  // One at a time: folds of several partitions share the thread, and each keeps its order.
  let last: Promise<void> = Promise.resolve()
  port.on('message', (request: ThreadRequest) => {
    last = last.then(async () => {
      try {
        const answered = await answer(request)
        port.postMessage(answered, ownBuffers(answered))
      } catch (error) {
        port.postMessage({ id: request.id, ...explain(error) })
      }
    })
  })
  port.postMessage({ ok: true, models: host.models } satisfies ThreadGreeting)
} catch (error) {
  port.postMessage(explain(error) satisfies ThreadGreeting)
}
