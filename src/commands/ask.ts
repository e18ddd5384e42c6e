/** Requests of the command line to a console. */
import { ServiceError } from '../core/errors.ts'

/** BUS_UNREACHABLE: nobody answers. INPUT_INVALID: it refuses, and what it said. */
export async function ask(url: string, path: string, body?: unknown): Promise<Response> {
  const address = `${url.replace(/\/$/, '')}${path}`
  const headers = { 'content-type': 'application/json' }
  const request = body === undefined ? {} : { method: 'POST', headers, body: JSON.stringify(body) }
  let response: Response
  try {
    response = await fetch(address, request)
  } catch (cause) {
    throw new ServiceError('BUS_UNREACHABLE', `${address}: no answer; check --url`, { cause })
  }
  if (response.ok) return response
  const text = await response.text()
  throw new ServiceError('INPUT_INVALID', `${address}: answers ${response.status}: ${text}`)
}
