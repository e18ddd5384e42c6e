/** One process of the service on the parity history, with some of the roles; a test may kill it. */
import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import { ROLES, type RoleName } from '../../../src/pipeline/service.ts'
import { SESSION_TIMEOUT_MS } from '../deployment.ts'
import { parityTopology, startParityService } from './log-rows.ts'

const NOTICE_INTERVAL_MS = 50

export type Ready = Readonly<Record<RoleName, number>>

async function main(brokers: string, prefix: string, partitions: number): Promise<void> {
  const roles = ROLES.filter((role) => process.argv[5]?.split(',').includes(role))
  const bus = await openKafkaBus({
    brokers: brokers.split(','),
    clientId: 'member',
    prefix,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
  })
  const service = await startParityService(bus, parityTopology(prefix, partitions), { roles })
  setInterval(() => process.send?.(service.ready()), NOTICE_INTERVAL_MS)
  // A test that is gone leaves nobody behind.
  process.on('disconnect', () => process.exit(0))
}

await main(process.argv[2] ?? '', process.argv[3] ?? '', Number(process.argv[4]))
