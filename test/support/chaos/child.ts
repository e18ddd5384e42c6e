/** A whole service in a process of its own, which kills itself at the commit step it is told to. */
import { setInterval } from 'node:timers'
import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import type { CommitStep } from '../../../src/bus/kafka/client.ts'
import type { Output } from '../../../src/core/bus.ts'
import { KIND } from '../../../src/core/log.ts'
import { type RoleName, ROLES, startService } from '../../../src/pipeline/service.ts'
import { withFeverModel } from '../fever.ts'
import { serviceOptions, SESSION_TIMEOUT_MS, topologyOf } from '../deployment.ts'

export interface Point {
  readonly role: RoleName
  readonly step: CommitStep
}

export type Order = { readonly kind: 'die'; readonly at: Point } | { readonly kind: 'stop' }

/** Sent whenever the numbers of owned, restored partitions have changed. */
export interface Notice {
  readonly ready: Readonly<Record<RoleName, number>>
}

const NOTICE_INTERVAL_MS = 50
/** What makes a commit of a role worth dying in: more than a tick. */
const CARGO: Readonly<Record<RoleName, (output: Output) => boolean>> = {
  ingest: ({ headers }) => headers?.[KIND] === 'samples',
  watcher: ({ topic, headers }) => topic.endsWith('pool-log') && headers?.[KIND] !== 'tick',
  coordinator: ({ topic }) => topic.includes('commands.'),
}

async function main(
  brokers: string,
  prefix: string,
  stateDirectory: string,
  partitions: number,
  model: string,
): Promise<void> {
  let order: Point | null = null
  const bus = await openKafkaBus({
    brokers: brokers.split(','),
    clientId: 'chaos',
    prefix,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    onCommitStep: (id, step, outputs) => {
      if (order === null || order.step !== step || !id.startsWith(prefix + order.role)) return
      if (outputs.some(CARGO[order.role])) process.kill(process.pid, 'SIGKILL')
    },
  })
  const options = await serviceOptions(
    bus,
    topologyOf(prefix, 'arrival', partitions),
    stateDirectory,
  )
  const service = await startService({
    ...(model === '' ? options : withFeverModel(options, model)),
    events: {
      trouble: (role, partition, error) => {
        process.stderr.write(`trouble in ${role} ${partition}: ${String(error)}\n`)
      },
    },
  })
  let last = ''
  const noticing = setInterval(() => {
    const notice: Notice = { ready: service.ready() }
    const text = JSON.stringify(notice)
    if (text !== last) process.send?.(notice)
    last = text
  }, NOTICE_INTERVAL_MS)
  const stop = async (): Promise<void> => {
    clearInterval(noticing)
    await service.stop()
    await bus.close()
    process.disconnect()
  }
  process.on('message', (message: Order) => {
    if (message.kind === 'die') order = message.at
    else void stop()
  })
  // A tormentor that is gone leaves nobody behind.
  process.on('disconnect', () => process.exit(0))
}

export const POINTS: readonly Point[] = ROLES.flatMap((role) =>
  (['begun', 'sent', 'offsets', 'committed'] as const).map((step) => ({ role, step })),
)

const [, , brokers, prefix, stateDirectory, partitions, model = ''] = process.argv
if (process.argv[1] === import.meta.filename) {
  await main(brokers ?? '', prefix ?? '', stateDirectory ?? '', Number(partitions), model)
}
