// Goal: `foreshock probe` sends what it sees of services to a real broker, while they answer and after one is gone, and
// says at its end what it did.
// Method: src/main.ts as a child process; services are servers of this test.
import { createServer as createHttp, type Server } from 'node:http'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import { readTopic } from '../../../src/commands/topic-records.ts'
import { toText } from '../../../src/core/bytes.ts'
import type { ServiceCheck } from '../../../src/core/evidence.ts'
import { topicName, topicSpecs } from '../../../src/core/topics.ts'
import { topologyOf } from '../../support/deployment.ts'
import { foreshock, startForeshock } from '../../support/foreshock-process.ts'
import { kafkaBrokers, uniquePrefix } from '../../support/kafka.ts'
import { until } from '../../support/until.ts'

const brokers = await kafkaBrokers()
const directory = mkdtempSync(join(tmpdir(), 'foreshock-probe-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

async function listening(server: ReturnType<typeof createServer> | Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

describe.skipIf(brokers === null)('probe on a real broker', () => {
  test(
    'looks are sent round by round, also of what is gone, and are counted',
    { timeout: 120_000 },
    async () => {
      const topology = topologyOf(uniquePrefix('probe'), 'arrival', 1)
      const bus = await openKafkaBus({
        brokers: brokers ?? [],
        clientId: 'probe',
        prefix: topology.prefix,
      })
      const page = createHttp((_, response) => void response.writeHead(503).end())
      const port = createServer((socket) => void socket.end())
      const [pageAt, portAt] = [await listening(page), await listening(port)]
      try {
        await bus.create(topicSpecs(topology))
        const checks = join(directory, 'checks.toml')
        writeFileSync(
          checks,
          `[[check]]\nservice = "web"\nurl = "http://127.0.0.1:${pageAt}/"\n` +
            `[[check]]\nservice = "db"\nabout = "n2"\npriority = "critical"\ntcp = "127.0.0.1:${portAt}"\n`,
        )
        writeFileSync(
          join(directory, 'foreshock.toml'),
          `[bus]\nkind = "kafka"\n[kafka]\nbrokers = [${(brokers ?? []).map((one) => `"${one}"`).join(', ')}]\n` +
            `[topology]\nprefix = "${topology.prefix}"\nnode_partitions = 1\npool_partitions = 1\n`,
        )
        const argv = ['probe', '--checks', checks, '--node', 'n1', '--pool', 'web', '--every', '1s']
        const once = await foreshock([...argv, '--once', '--json'], { cwd: directory })
        expect(once.code, once.stderr).toBe(1)
        expect(JSON.parse(once.stdout)).toMatchObject({
          checks: [
            { about: 'n1', service: 'web', probe: 'http', state: 'failing', status: 503 },
            { about: 'n2', service: 'db', probe: 'tcp', state: 'fine', status: null },
          ],
        })

        const seen = async (): Promise<ServiceCheck[]> => {
          const checksSeen: ServiceCheck[] = []
          await readTopic(bus, topicName(topology, 'evidence'), ({ value }) => {
            checksSeen.push(JSON.parse(toText(value!)) as ServiceCheck)
          })
          return checksSeen
        }
        // To look once is to send nothing.
        expect(await seen()).toEqual([])
        const running = startForeshock([...argv, '--json'], { cwd: directory })
        await until('two rounds are sent', 60_000, async () => (await seen()).length >= 4)
        await new Promise((resolve) => port.close(resolve))
        await until('the service is told to be gone', 60_000, async () =>
          (await seen()).some(({ service, ok }) => service === 'db' && !ok),
        )
        running.signal('SIGINT')
        const { code, stdout, stderr } = await running.ended
        expect(code, stderr).toBe(0)
        const all = await seen()
        const { rounds, looks, failing, unsent } = JSON.parse(stdout) as Record<string, number>
        expect({ looks, unsent }).toEqual({ looks: all.length, unsent: 0 })
        expect(looks).toBe(2 * rounds)
        expect(failing).toBe(all.filter(({ ok, status }) => !ok || status === 503).length)
        expect(all[0]).toMatchObject({ kind: 'service-check', node: 'n1', pool: 'web' })
        const ofDb = all.filter(({ service }) => service === 'db').map(({ ok }) => ok)
        expect(ofDb.indexOf(false)).toBeGreaterThan(ofDb.lastIndexOf(true))
      } finally {
        page.closeAllConnections()
        page.close()
        port.close()
        await bus.close()
      }
    },
  )
})
