/**
 * GET /v1/stream: server-sent events of everything the console learns.
 *
 * An event id is `<start>-<sequence>`; after a break a browser sends the last one back and gets what it
 * missed. Where that is no longer held (or the service was started anew) it gets one `gap` event and
 * should load the lists again. A slow reader's queue drops its oldest events, and says so by `gap` too.
 */
import { Hono } from 'hono'
import type { ConsoleViews, StreamEvent } from '../store/views.ts'
import { ProblemError } from './problem.ts'

export interface StreamOptions {
  /** Tells the streams of one run of the service from those of the run before. */
  readonly startId: string
  readonly clientsMax: number
  /** Events waiting for one slow client. */
  readonly queueMax: number
  /** A comment line this often keeps proxies from closing a quiet stream. */
  readonly pingMs: number
}

export const STREAM_LIMITS = { clientsMax: 64, queueMax: 1_000, pingMs: 15_000 } as const

export function streamRoutes(views: ConsoleViews, options: StreamOptions): Hono {
  const routes = new Hono()
  let clientCount = 0
  routes.get('/', (c) => {
    if (clientCount >= options.clientsMax) {
      throw new ProblemError({
        status: 503,
        title: 'Service unavailable',
        detail: `${options.clientsMax} streams are open already; close one`,
        code: 'STREAMS_FULL',
      })
    }
    clientCount++
    const lastEventId = c.req.header('last-event-id') ?? c.req.query('last_event_id')
    const client = new StreamClient(views, options, lastEventId)
    return c.body(
      client.readable(() => clientCount--),
      200,
      {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      },
    )
  })
  return routes
}

/** One reader: a bounded queue between the views, which never wait, and the socket, which may. */
class StreamClient {
  readonly #views: ConsoleViews
  readonly #options: StreamOptions
  readonly #queue: string[] = []
  #droppedCount = 0
  #wake: () => void = () => undefined

  constructor(views: ConsoleViews, options: StreamOptions, lastEventId: string | undefined) {
    this.#views = views
    this.#options = options
    if (lastEventId !== undefined) this.#catchUp(lastEventId)
  }

  /** Pulled by the socket, so nothing is made for a client that does not read. */
  readable(onEnd: () => void): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder()
    let unsubscribe: () => void = () => undefined
    let ping: NodeJS.Timeout | undefined
    return new ReadableStream({
      start: () => {
        this.#queue.unshift(': foreshock\n\n')
        unsubscribe = this.#views.subscribe((event, sequence) => this.#push(event, sequence))
        ping = setInterval(() => this.#pushText(': ping\n\n'), this.#options.pingMs).unref()
      },
      pull: async (controller) => {
        while (this.#queue.length === 0) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
        }
        const text = this.#gapText() + this.#queue.splice(0).join('')
        controller.enqueue(encoder.encode(text))
      },
      cancel: () => {
        unsubscribe()
        clearInterval(ping)
        onEnd()
      },
    })
  }

  #catchUp(lastEventId: string): void {
    const [start, sequence] = lastEventId.split('-')
    const from = Number(sequence) + 1
    const { oldest, next } = this.#views.stream
    if (start !== this.#options.startId || !(from >= oldest && from <= next)) {
      this.#droppedCount = 1
      this.#queue.push(': catching up\n\n')
      return
    }
    for (const { item, sequence } of this.#views.stream.after(from)) this.#push(item, sequence)
  }

  #push({ kind, body }: StreamEvent, sequence: number): void {
    const id = `${this.#options.startId}-${sequence}`
    this.#pushText(`id: ${id}\nevent: ${kind}\ndata: ${JSON.stringify(body)}\n\n`)
  }

  #pushText(text: string): void {
    if (this.#queue.length >= this.#options.queueMax) {
      this.#queue.shift()
      this.#droppedCount++
    }
    this.#queue.push(text)
    this.#wake()
  }

  #gapText(): string {
    if (this.#droppedCount === 0) return ''
    const text = `event: gap\ndata: ${JSON.stringify({ dropped: this.#droppedCount })}\n\n`
    this.#droppedCount = 0
    return text
  }
}
