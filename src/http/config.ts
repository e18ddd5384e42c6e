/** GET /v1/config: what is in force. POST /v1/config/reload: reads the file anew. */
import { Hono } from 'hono'
import { z } from 'zod'
import type { ConfigChange, ConfigFigures, UnwatchedKey } from '../core/runtime-config.ts'
import { readBody } from './body.ts'
import { badRequest, ProblemError } from './problem.ts'

const BODY_BYTES_MAX = 4_096

const said = z.string().trim().min(1).max(1_000)
const Body = z.strictObject({ by: said.default('console'), reason: said })

export interface ConfigPort {
  /** Each key as text, what is secret hidden. */
  readonly keys: () => Readonly<Record<string, string>>
  readonly figures: () => ConfigFigures
  /** Rejects with CONFIG_INVALID or CONFIG_FIXED where nothing is changed. Null: this process has no file. */
  readonly reload:
    | ((
        by: string,
        reason: string,
      ) => Promise<{
        readonly version: string
        readonly changes: readonly ConfigChange[]
        readonly unwatched: readonly UnwatchedKey[]
      }>)
    | null
}

export function configRoutes({ keys, figures, reload }: ConfigPort): Hono {
  const routes = new Hono()
  routes.get('/', (c) => {
    const { said: inForce, ...rest } = figures()
    const version = inForce?.version ?? null
    return c.json({ version, by: inForce?.by ?? null, ...rest, keys: keys() })
  })
  routes.post('/reload', async (c) => {
    const { by, reason } = bodyOf(await readBody(c, BODY_BYTES_MAX))
    if (reload === null) {
      throw new ProblemError({
        status: 409,
        title: 'Conflict',
        detail: 'the demonstration has settings of its own; start without --fleet',
        code: 'CONFIG_FIXED',
      })
    }
    const reloaded = await reload(by, reason)
    return c.json(reloaded, reloaded.changes.length === 0 ? 200 : 202)
  })
  return routes
}

function bodyOf(bytes: Uint8Array): z.output<typeof Body> {
  let parsed: unknown
  try {
    parsed = JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    throw badRequest('the body is not JSON; send {"by":"…","reason":"…"}')
  }
  const checked = Body.safeParse(parsed)
  if (checked.success) return checked.data
  const [issue] = checked.error.issues
  throw badRequest(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`)
}
