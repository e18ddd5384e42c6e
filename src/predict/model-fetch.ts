/**
 * Brings a model from another console into the store. The peer is not trusted: its listing must hash to
 * the id that was asked for, and each file to what the listing says.
 */
import { isServiceError } from '../core/errors.ts'
import { CallFailure } from '../core/guard.ts'
import type { ModelId } from '../core/ids.ts'
import { LISTING_FILE, MODEL_FILE_BYTES_MAX, readListing } from '../core/model.ts'
import type { CallerOf } from '../resilience/caller.ts'
import { reasonOf } from '../resilience/reason.ts'
import { type ModelStore, sha256 } from './model-store.ts'

const NOT_FOUND = 404
const LISTING_BYTES_MAX = 4_096

/** Null once the store has it; else why no peer could give it, one sentence a peer. */
export async function fetchModel(
  store: ModelStore,
  id: ModelId,
  peers: readonly string[],
  callerOf: CallerOf,
): Promise<string | null> {
  const problems: string[] = []
  for (const peer of peers) {
    try {
      const contents = await callerOf(`peer ${peer}`).call('low', (signal) =>
        filesFrom(id, peer, signal),
      )
      if (contents !== null) {
        await store.put(contents)
        return null
      }
      problems.push(`${peer}: it answers ${NOT_FOUND}`)
    } catch (error) {
      if (isServiceError(error)) throw error
      problems.push(`${peer}: ${reasonOf(error)}`)
    }
  }
  return problems.length === 0 ? 'no peer is configured' : problems.join('; ')
}

type Contents = readonly (readonly [string, Uint8Array])[]

/** Null: the peer answers and has none, which is no failure of the peer: it may have it a moment later. */
async function filesFrom(id: ModelId, peer: string, signal: AbortSignal): Promise<Contents | null> {
  const base = `${peer.replace(/\/$/, '')}/v1/models/${id}`
  const listed = await get(`${base}/${LISTING_FILE}`, LISTING_BYTES_MAX, signal)
  if (listed === null) return null
  const listing = new TextDecoder().decode(listed)
  const files = sha256(listing) === id ? readListing(listing) : undefined
  if (files === undefined) throw damaged('its listing is not that of the model')
  const contents: (readonly [string, Uint8Array])[] = []
  for (const file of files) {
    const bytes = await get(`${base}/${file.name}`, MODEL_FILE_BYTES_MAX, signal)
    if (bytes === null) return null
    if (sha256(bytes) !== file.sha256) throw damaged(`its ${file.name} is damaged`)
    contents.push([file.name, bytes])
  }
  return contents
}

async function get(url: string, bytesMax: number, signal: AbortSignal): Promise<Uint8Array | null> {
  const response = await fetch(url, { signal, redirect: 'error' })
  if (response.status === NOT_FOUND) {
    await response.body?.cancel()
    return null
  }
  if (!response.ok || response.body === null) throw new Error(`it answers ${response.status}`)
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.length
    if (bytes > bytesMax) throw damaged(`it sends more than ${bytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Asked again it would say the same. */
function damaged(what: string): CallFailure {
  return new CallFailure(what, false)
}
