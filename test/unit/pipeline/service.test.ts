// Goal: a service that cannot serve joins nothing, and one that stops leaves nothing behind.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openEmbeddedBus } from '../../../src/bus/embedded/embedded-bus.ts'
import type { Bus } from '../../../src/core/bus.ts'
import { topicSpecs } from '../../../src/core/topics.ts'
import { ROLES, untilReady } from '../../../src/pipeline/service.ts'
import { parityTopology, startParityService, untilOwner } from '../../support/history/log-rows.ts'
import { DRIVE, SERVER } from '../../support/history/parity-classes.ts'
import { writeTinyModel } from '../../support/history/tiny-model.ts'

const topology = { ...parityTopology('service.', 2), clock: 'arrival' as const }
let bus: Bus

beforeEach(async () => {
  bus = await openEmbeddedBus({ directory: mkdtempSync(join(tmpdir(), 'foreshock-service-')) })
  await bus.create(topicSpecs(topology))
})
afterEach(() => bus.close())

/** Claims leave a record in the logs, so nobody joined where there is none. */
async function claimCount(): Promise<number> {
  const ends = [...(await bus.ends('service.node-log')), ...(await bus.ends('service.pool-log'))]
  return ends.reduce((sum, end) => sum + end, 0)
}

test('it owns and restores every partition of its roles, and stops twice without harm', async () => {
  const service = await startParityService(bus, topology)
  await untilOwner(service, topology)
  expect(service.ready()).toEqual({ ingest: 2, watcher: 2, coordinator: 2 })
  expect(service.models.map(({ card }) => card.name)).toEqual(['tiny-server', 'tiny-drive'])
  await Promise.all([service.stop(), service.stop()])
  expect(service.ready()).toEqual({ ingest: 0, watcher: 0, coordinator: 0 })
  const again = await startParityService(bus, topology)
  await untilOwner(again, topology)
  await again.stop()
})

interface Unfit {
  readonly what: string
  readonly models: Readonly<Record<string, string>>
  readonly code: string
  readonly says: RegExp
}

test.each<Unfit>([
  {
    what: 'a model of other features',
    models: { server: writeTinyModel(DRIVE) },
    code: 'MODEL_MISMATCH',
    says: /model tiny-drive was trained on other features/,
  },
  {
    what: 'a model of a class that there is not',
    models: { router: writeTinyModel(SERVER) },
    code: 'NODE_CLASS_UNKNOWN',
    says: /^models\.router: there is no node class `router`; known: server, drive$/,
  },
  {
    what: 'a directory without a model',
    models: { server: '/nowhere' },
    code: 'MODEL_INVALID',
    says: /^\/nowhere\/card\.json: no model card there; name a directory made by/,
  },
])('$what is refused before anything is joined', async ({ models, code, says }) => {
  await expect(startParityService(bus, topology, { models })).rejects.toMatchObject({
    name: 'ServiceError',
    code,
    message: expect.stringMatching(says) as string,
  })
  expect(await claimCount()).toBe(0)
})

test('a default class that there is not ends the start, and what was started stops again', async () => {
  await expect(startParityService(bus, topology, { defaultClass: 'router' })).rejects.toThrow(
    /^ingest\.default_class: there is no node class `router`; known: server, drive$/,
  )
  const service = await startParityService(bus, topology)
  await untilOwner(service, topology)
  await service.stop()
})

test('waiting for readiness ends with its signal', async () => {
  const service = await startParityService(bus, topology, { roles: ['watcher'] })
  const signal = AbortSignal.timeout(50)
  expect(await untilReady(service, { topology, roles: ROLES }, signal)).toBe(false)
  await service.stop()
})
