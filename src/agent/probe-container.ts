/**
 * Whether a container runs, as the engine beside it says (Docker's Engine API over its socket, which Podman has as
 * well). What the engine does not answer says nothing of the container.
 */
import { request } from 'node:http'
import { isObject, jsonObjectOf } from '../core/json-object.ts'
import type { Seen } from './probe.ts'

/** Of an answer, bytes; a longer one is none. */
const ANSWER_BYTES_MAX = 1_048_576

export interface ContainerAddress {
  /** Path of the engine's socket, e.g. `/var/run/docker.sock`. */
  readonly socket: string
  /** Name or id. */
  readonly container: string
}

export interface ContainerSeen extends Seen {
  /** Which end it is that was seen; null while it runs. */
  readonly end: string | null
}

/** `status` is the exit code, null while it runs and where there is no such container. Null: nobody could look. */
export async function probeContainer(
  address: ContainerAddress,
  signal: AbortSignal,
  clockMs: () => number,
): Promise<ContainerSeen | null> {
  const beganAtMs = clockMs()
  const answer = await ask(address, signal).catch(() => null)
  if (answer === null) return null
  if (answer.status === 404) return { ok: false, status: null, latencyMs: null, end: 'none' }
  const state = answer.status === 200 ? jsonObjectOf(answer.body)?.['State'] : undefined
  if (!isObject(state) || typeof state['Running'] !== 'boolean') return null
  const code = Number.isSafeInteger(state['ExitCode']) ? (state['ExitCode'] as number) : null
  // One that is begun again after it ended counts as ended.
  if (!state['Running'] || state['Restarting'] === true) {
    return { ok: false, status: code, latencyMs: null, end: String(state['FinishedAt']) }
  }
  return { ok: true, status: null, latencyMs: clockMs() - beganAtMs, end: null }
}

interface Answer {
  readonly status: number
  readonly body: Uint8Array
}

function ask({ socket, container }: ContainerAddress, signal: AbortSignal): Promise<Answer> {
  const path = `/containers/${encodeURIComponent(container)}/json`
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: socket, path, signal, agent: false }, (answer) => {
      const chunks: Buffer[] = []
      let bytes = 0
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > ANSWER_BYTES_MAX) answer.destroy(new Error('the answer is too long'))
        else chunks.push(chunk)
      })
      answer.once('error', reject)
      answer.once('end', () =>
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks) }),
      )
    })
    asked.once('error', reject)
    asked.end()
  })
}
