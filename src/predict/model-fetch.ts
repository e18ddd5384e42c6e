/**
 * Brings a model from another console into the store. The peer is not trusted: its listing must hash to
 * the id that was asked for, and each file to what the listing says.
 */
import { isServiceError } from '../core/errors.ts'
import type { ModelId } from '../core/ids.ts'
import { LISTING_FILE, MODEL_FILE_BYTES_MAX, readListing } from '../core/model.ts'
import { type ModelStore, sha256 } from './model-store.ts'

const FILE_TIMEOUT_MS = 60_000
const LISTING_BYTES_MAX = 4_096

/** Null once the store has it; else why no peer could give it, one sentence a peer. */
export async function fetchModel(
  store: ModelStore,
  id: ModelId,
  peers: readonly string[],
): Promise<string | null> {
  const problems: string[] = []
  for (const peer of peers) {
    try {
      await fetchFrom(store, id, peer)
      return null
    } catch (error) {
      if (isServiceError(error)) throw error
      problems.push(`${peer}: ${reasonOf(error)}`)
    }
  }
  return problems.length === 0 ? 'no peer is configured' : problems.join('; ')
}

async function fetchFrom(store: ModelStore, id: ModelId, peer: string): Promise<void> {
  const base = `${peer.replace(/\/$/, '')}/v1/models/${id}`
  const listing = new TextDecoder().decode(await get(`${base}/${LISTING_FILE}`, LISTING_BYTES_MAX))
  const files = sha256(listing) === id ? readListing(listing) : undefined
  if (files === undefined) throw new Error('its listing is not that of the model')
  const contents: (readonly [string, Uint8Array])[] = []
  for (const file of files) {
    const bytes = await get(`${base}/${file.name}`, MODEL_FILE_BYTES_MAX)
    if (sha256(bytes) !== file.sha256) throw new Error(`its ${file.name} is damaged`)
    contents.push([file.name, bytes])
  }
  await store.put(contents)
}

async function get(url: string, bytesMax: number): Promise<Uint8Array> {
  const response = await fetch(url, {
    signal: AbortSignal.timeout(FILE_TIMEOUT_MS),
    redirect: 'error',
  })
  if (!response.ok || response.body === null) throw new Error(`it answers ${response.status}`)
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new Error(`it sends more than ${bytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** `fetch` says why only in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  return cause instanceof Error ? `${error.message} (${cause.message})` : error.message
}
