import { expect, test } from 'vitest'
import { createConsole, outputRecord } from '../../support/console.ts'

const decision = (n: number) => outputRecord('journal', { kind: 'decision', n })

/** Reads until `count` events have come. A gap counts as one. */
async function readEvents(answer: Response, count: number): Promise<Record<string, string>[]> {
  const reader = answer.body!.getReader()
  let text = ''
  const events = () =>
    text
      .split('\n\n')
      .slice(0, -1)
      .filter((block) => !block.startsWith(':'))
  while (events().length < count) {
    const { value, done } = await reader.read()
    if (done) break
    text += new TextDecoder().decode(value)
  }
  await reader.cancel()
  return events().map((block) =>
    Object.fromEntries(
      block
        .split('\n')
        .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
    ),
  )
}

test('an event that happens while the stream is open arrives with its id and kind', async () => {
  const { app, views } = createConsole()
  const answer = await app.request('/v1/stream')
  expect(answer.headers.get('content-type')).toContain('text/event-stream')
  views.fold(decision(1))
  expect(await readEvents(answer, 1)).toEqual([
    { id: 'run1-0', event: 'decision', data: '{"kind":"decision","n":1}' },
  ])
})

test('what was missed after Last-Event-ID is sent first', async () => {
  const { app, views } = createConsole()
  for (const n of [0, 1, 2]) views.fold(decision(n))
  const answer = await app.request('/v1/stream', { headers: { 'last-event-id': 'run1-0' } })
  views.fold(decision(3))
  const events = await readEvents(answer, 3)
  expect(events.map(({ id }) => id)).toEqual(['run1-1', 'run1-2', 'run1-3'])
})

test.each([
  { id: 'run0-1', because: 'the service was started anew' },
  { id: 'run1-0', because: 'it is no longer held' },
  { id: 'nonsense', because: 'it is not ours' },
])('a gap is told when the last event cannot be continued: $because', async ({ id }) => {
  const { app, views } = createConsole({}, { streamMax: 2 })
  for (const n of [0, 1, 2, 3]) views.fold(decision(n))
  const answer = await app.request('/v1/stream', { headers: { 'last-event-id': id } })
  expect((await readEvents(answer, 1))[0]?.['event']).toBe('gap')
})

test('a slow reader loses its oldest events and is told how many', async () => {
  const { app, views } = createConsole({ stream: { queueMax: 3 } })
  const answer = await app.request('/v1/stream')
  const reader = answer.body!.getReader()
  // The greeting fills the stream's own buffer; from here on nobody reads.
  await reader.read()
  for (let n = 0; n < 10; n++) views.fold(decision(n))
  reader.releaseLock()
  const events = await readEvents(answer, 4)
  expect(events[0]).toMatchObject({ event: 'gap' })
  const dropped = (JSON.parse(events[0]['data']) as { dropped: number }).dropped
  expect(dropped).toBe(10 - events.slice(1).length)
  expect(events.at(-1)?.['data']).toContain('"n":9')
})

test('streams are limited, and one that ends makes room', async () => {
  const { app } = createConsole({ stream: { clientsMax: 1 } })
  const first = await app.request('/v1/stream')
  const refused = await app.request('/v1/stream')
  expect(refused.status).toBe(503)
  expect(await refused.json()).toMatchObject({ code: 'STREAMS_FULL' })
  await first.body!.cancel()
  expect((await app.request('/v1/stream')).status).toBe(200)
})
