/** The HTTP console: read models and a few inputs, from plain ports. It decides nothing. */
import { Hono } from 'hono'
import type { Output } from '../core/bus.ts'
import type { DegradedMode } from '../core/degraded.ts'
import type { NetworkFigures } from '../core/network.ts'
import type { Topology } from '../core/topics.ts'
import type { WaitingQueueView } from '../core/waiting.ts'
import type { ConsoleViews } from '../store/views.ts'
import { assignmentRoutes } from './assignments.ts'
import { configRoutes, type ConfigPort } from './config.ts'
import { controlRoutes } from './controls.ts'
import { loopbackOnly } from './guard.ts'
import { listRoutes } from './lists.ts'
import { modelRoutes, type StoredModels } from './models.ts'
import { networkRoutes } from './networks.ts'
import { nodeRoutes } from './nodes.ts'
import { pageRoutes } from './page.ts'
import type { PageFile } from './page.ts'
import { answerError, answerProblem } from './problem.ts'
import { STREAM_LIMITS, streamRoutes } from './stream.ts'
import { type PathFinder, pathRoutes } from './paths.ts'
import { routeRoutes } from './route.ts'
import type { MakeRing } from './route.ts'
import type { StreamOptions } from './stream.ts'
import { telemetryRoutes } from './telemetry.ts'
import { waitingRoutes } from './waiting.ts'

export interface Readiness {
  readonly ready: boolean
  /** What is missing, in words; empty when ready. */
  readonly problems: readonly string[]
  /** What works worse than it should; it is ready all the same. */
  readonly degraded: readonly DegradedMode[]
}

/** What the service is running as; shown on the page. */
export interface About {
  readonly version: string
  readonly bus: string
  /** Mode of the default policy; pools may differ. */
  readonly mode: string
  /** Provider of the models in use, or null without a model. */
  readonly provider: string | null
  readonly [more: string]: unknown
}

export interface AppPorts {
  readonly views: ConsoleViews
  readonly topology: Topology
  /** An empty ring of its own, for the keys of `/v1/route`. */
  readonly makeRing: MakeRing
  /** Rejects with a ServiceError when the bus cannot take it now. */
  readonly produce: (outputs: readonly Output[]) => Promise<unknown>
  readonly readiness: () => Readiness
  /** Prometheus text. */
  readonly metrics: () => Promise<string>
  readonly about: () => About
  /** Of pools whose coordinator runs here. */
  readonly networks: () => readonly NetworkFigures[]
  readonly waiting: () => readonly WaitingQueueView[]
  readonly paths: PathFinder
  readonly models: StoredModels
  readonly config: ConfigPort
  /** Files of the page; empty: no page. */
  readonly page: ReadonlyMap<string, PageFile>
  /** Longest body of telemetry. */
  readonly bodyBytesMax: number
  /** Names this run of the service in the ids of streamed events. */
  readonly startId: string
  /** Told of bugs. */
  readonly report: (error: unknown) => void
  readonly stream?: Partial<Omit<StreamOptions, 'startId'>>
}

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export function createApp(ports: AppPorts): Hono {
  const { views, topology, produce, bodyBytesMax, startId, report } = ports
  const app = new Hono()
  app.onError((error, c) => answerError(c, error, report))
  app.notFound((c) =>
    answerProblem(c, {
      status: 404,
      title: 'Not found',
      detail: `there is no ${c.req.method} ${c.req.path}`,
      code: 'NOT_FOUND',
    }),
  )
  app.use(loopbackOnly())
  app.use(async (c, next) => {
    await next()
    c.header('x-content-type-options', 'nosniff')
    c.header('referrer-policy', 'no-referrer')
    c.header('cross-origin-resource-policy', 'same-origin')
    if (c.res.headers.get('cache-control') === null) c.header('cache-control', 'no-store')
  })
  app.get('/healthz', (c) => c.json({ status: 'ok' }))
  app.get('/readyz', (c) => {
    const { ready, problems, degraded } = ports.readiness()
    const shown = degraded.map(({ sinceMs, ...mode }) => {
      return { ...mode, since: new Date(sinceMs).toISOString() }
    })
    if (ready) return c.json({ status: 'ready', degraded: shown })
    return answerProblem(c, {
      status: 503,
      title: 'Not ready',
      detail: problems.join('; '),
      code: 'NOT_READY',
      more: { problems, degraded: shown },
    })
  })
  app.get('/metrics', async (c) =>
    c.body(await ports.metrics(), 200, { 'content-type': METRICS_TYPE }),
  )
  app.get('/v1/about', (c) => c.json({ ...ports.about(), counts: views.counts() }))
  app.route('/v1/nodes', nodeRoutes(views))
  app.route('/v1/assignments', assignmentRoutes(views))
  app.route('/v1/route', routeRoutes(views, ports.makeRing))
  app.route('/v1/networks', networkRoutes(ports.networks))
  app.route('/v1/waiting', waitingRoutes(ports.waiting))
  app.route('/v1/paths', pathRoutes(ports.paths))
  app.route('/v1/models', modelRoutes(views, ports.models))
  app.route('/v1/telemetry', telemetryRoutes({ topology, produce, bodyBytesMax }))
  app.route('/v1/config', configRoutes(ports.config))
  app.route('/v1/controls', controlRoutes({ topology, produce, models: ports.models }))
  app.route('/v1/stream', streamRoutes(views, { ...STREAM_LIMITS, ...ports.stream, startId }))
  app.route('/v1', listRoutes(views))
  app.route('/', pageRoutes(ports.page))
  return app
}
