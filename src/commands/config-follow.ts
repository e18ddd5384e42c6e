/** A running service and its file: SIGHUP reads it anew, and one that was changed before the start is said. */
import type { Logger } from 'pino'
import { DEFAULT_POLICY, type Mode } from '../core/policy.ts'
import type { ConfigFigures } from '../core/runtime-config.ts'
import type { Service } from '../pipeline/service.ts'
import type { Io } from './command.ts'
import type { ConfigReload } from './config-reload.ts'

const LOOK_MS = 1_000

interface Followed {
  readonly log: Logger
  readonly service: Service | null
}

/** The answer ends it. */
export function followConfig(reload: ConfigReload, state: Followed, io: Io): () => Promise<void> {
  const { log } = state
  const take = (by: string, reason: string) =>
    reload.reload(by, reason).then(
      ({ version, changes }) => {
        io.stderr(`foreshock: configuration ${version}: ${changes.length} keys change\n`)
      },
      (error: unknown) => {
        io.stderr(`foreshock: nothing was reloaded: ${(error as Error).message}\n`)
        log.error({ err: error }, 'nothing was reloaded')
      },
    )
  let isEnded = false
  io.onHangUp?.(() => {
    if (!isEnded) void take('SIGHUP', 'the process was told to read its file anew')
  })
  // What the log has in force is known once a coordinator is restored here.
  const timer = setInterval(() => {
    if ((state.service?.ready().coordinator ?? 0) === 0) return
    clearInterval(timer)
    if (reload.differs()) void take('start', 'the file is another one than before')
  }, LOOK_MS)
  return async () => {
    isEnded = true
    clearInterval(timer)
  }
}

/** Of the default policy: the log's word over that of the file. */
export function modeInForce({ said }: ConfigFigures, file: Mode): Mode {
  if (said === null) return file
  const text = said.keys['policy.mode']
  return text === undefined ? DEFAULT_POLICY.mode : (JSON.parse(text) as Mode)
}

/** Of the coordinators of one process: the log says the same to each. */
export function mergeConfig(all: readonly ConfigFigures[]): ConfigFigures {
  return {
    said: all.find(({ said }) => said !== null)?.said ?? null,
    pools: all.flatMap(({ pools }) => pools),
    takenBackCount: all.reduce((sum, { takenBackCount }) => sum + takenBackCount, 0),
  }
}
