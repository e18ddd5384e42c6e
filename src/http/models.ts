/**
 * GET /v1/models: which models there are and which serve; `/v1/models/{id}/{file}`: the files of one, for
 * machines that lack it. Whoever asks checks them by the id, so nothing is checked here.
 */
import { Hono } from 'hono'
import type { ClassModels } from '../core/model-life.ts'
import { isModelId, LISTING_FILE, type ModelCard } from '../core/model.ts'
import type { ModelId } from '../core/ids.ts'
import type { ConsoleViews } from '../store/views.ts'
import { notFound } from './problem.ts'

/** The store of this process. */
export interface StoredModels {
  ids(): Promise<readonly ModelId[]>
  /** Null: not here. */
  file(id: ModelId, name: string): Promise<Uint8Array<ArrayBuffer> | null>
}

/** Ids never name other bytes. */
const FOREVER = 'public, max-age=31536000, immutable'

interface Shown {
  readonly id: ModelId
  readonly version: string | null
  readonly nodeClass: string | null
  /** Classes that it serves now, and those that it is compared in. */
  readonly serves: readonly string[]
  readonly challenges: readonly string[]
}

export function modelRoutes(views: ConsoleViews, stored: StoredModels): Hono {
  const routes = new Hono()
  routes.get('/', async (c) => {
    const classes = [...views.models.values()]
    const ids = await stored.ids()
    const models = await Promise.all(ids.map((id) => shownOf(id, stored, classes)))
    return c.json({ classes, models })
  })
  routes.get('/:id', async (c) => {
    const id = idOf(c.req.param('id'))
    const card = await cardOf(id, stored)
    if (card === null) throw notFound(`no model ${id} is in the store`)
    const listing = await stored.file(id, LISTING_FILE)
    const files = new TextDecoder()
      .decode(listing ?? new Uint8Array())
      .trimEnd()
      .split('\n')
    return c.json({ id, card, files: files.map((line) => line.slice(66)) })
  })
  routes.get('/:id/:file', async (c) => {
    const { id, file } = c.req.param()
    const bytes = await stored.file(idOf(id), file)
    if (bytes === null) throw notFound(`no ${file} of model ${id} is in the store`)
    return c.body(bytes, 200, {
      'content-type': 'application/octet-stream',
      'cache-control': FOREVER,
    })
  })
  return routes
}

function idOf(text: string): ModelId {
  if (isModelId(text)) return text
  throw notFound(`"${text}" is no id of a model: 64 hex digits`)
}

async function shownOf(
  id: ModelId,
  stored: StoredModels,
  classes: readonly ClassModels[],
): Promise<Shown> {
  const card = await cardOf(id, stored)
  return {
    id,
    version: card?.version ?? null,
    nodeClass: card?.nodeClass ?? null,
    serves: classes.flatMap(({ nodeClass, champion }) => (champion === id ? [nodeClass] : [])),
    challenges: classes.flatMap((c) => (c.challenger === id ? [c.nodeClass] : [])),
  }
}

/** As it lies there: whoever serves it checks it. Null where it cannot be read. */
async function cardOf(id: ModelId, stored: StoredModels): Promise<ModelCard | null> {
  const bytes = await stored.file(id, 'card.json')
  if (bytes === null) return null
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as ModelCard
  } catch {
    // Damaged: it is shown without a version, and refused by whoever opens it.
    return null
  }
}
