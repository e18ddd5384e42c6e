/** The recorder within a service: it predicts and acts without it, so a recorder that fails begins anew. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { isServiceError } from '../core/errors.ts'
import { CallRefused } from '../core/guard.ts'
import type { Caller } from '../resilience/caller.ts'
import type { DegradedModes } from '../resilience/degraded.ts'
import { reasonOf } from '../resilience/reason.ts'
import { record, type RecorderOptions } from '../store/history-recorder.ts'

/** A recorder that could not be opened, or whose log could not be read, is opened again after this. */
const RESTART_MS = 10_000

/** A disk that hangs holds up the end no longer; what has gathered is read again. */
const STOP_MAX_MS = 20_000

export interface Recording extends Omit<RecorderOptions, 'signal' | 'guarded' | 'onBehind'> {
  readonly caller: Caller
  readonly degraded: DegradedModes
  readonly log: Logger
}

/** The answer ends it, with what has gathered on disk. */
export function startRecording(recording: Recording): () => Promise<void> {
  const ended = new AbortController()
  const running = keep(recording, ended.signal)
  return async () => {
    ended.abort()
    await Promise.race([running, sleep(STOP_MAX_MS, undefined, { ref: false })])
  }
}

async function keep(recording: Recording, signal: AbortSignal): Promise<void> {
  const { caller, degraded, log, ...options } = recording
  const guarded = {
    caller,
    report: (error: unknown) => {
      if (!(error instanceof CallRefused)) log.error({ err: error }, 'a write of history failed')
    },
  }
  while (!signal.aborted) {
    try {
      await record({
        ...options,
        signal,
        guarded,
        onBehind: (behindMs) => {
          degraded.set('history-off', null)
          degraded.recorded(behindMs)
        },
      })
    } catch (error) {
      degraded.set('history-off', reasonOf(error))
      log.error({ err: error }, 'nothing is recorded')
      // A directory that is another log's stays so: somebody has to name another one.
      if (isServiceError(error) && error.code === 'HISTORY_INVALID') return
      await sleep(RESTART_MS, undefined, { signal }).catch(() => undefined)
    }
  }
}
