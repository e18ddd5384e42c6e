/** The body of a request, read up to a limit: what is longer is refused before it is held. */
import type { Context } from 'hono'
import { ProblemError } from './problem.ts'

export async function readBody(c: Context, bytesMax: number): Promise<Uint8Array> {
  const announced = Number(c.req.header('content-length') ?? 0)
  if (announced > bytesMax) throw tooLarge(bytesMax)
  const stream = c.req.raw.body
  if (stream === null) return new Uint8Array(0)
  const chunks: Uint8Array[] = []
  let bytes = 0
  // A length may be missing or wrong, so what really comes is counted too.
  for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength
    if (bytes > bytesMax) throw tooLarge(bytesMax)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function tooLarge(bytesMax: number): ProblemError {
  return new ProblemError({
    status: 413,
    title: 'Content too large',
    detail: `at most ${bytesMax} bytes are taken; send smaller batches`,
    code: 'RECORD_TOO_LARGE',
  })
}
