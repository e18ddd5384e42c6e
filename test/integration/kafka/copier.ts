/** A process that copies partitions of one topic to another, to be killed or frozen by a test. */
import { connect } from 'node:net'
import { parseArgs } from 'node:util'

import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import type { Lease } from '../../../src/core/bus.ts'

/** EndTxn of the protocol: the request that commits. */
const END_TRANSACTION = 26

const { values } = parseArgs({
  options: {
    brokers: { type: 'string', default: '' },
    prefix: { type: 'string', default: '' },
    /** Dies by SIGKILL instead of sending this commit; 0: never. */
    'die-at': { type: 'string', default: '0' },
  },
})
const { brokers, prefix } = values
const dieAt = Number(values['die-at'])
let commits = 0

export async function copyWhileOwned(lease: Lease, out: string): Promise<void> {
  let next = lease.committed
  lease.start(next)
  while (!lease.lost) {
    const records = await lease.take(100)
    const last = records.at(-1)
    if (last === undefined) continue
    next = { ...next, [last.topic]: last.offset + 1 }
    const outputs = records.map(({ value, partition }) => ({
      topic: out,
      partition,
      key: null,
      value,
    }))
    let outcome = await lease.commit(outputs, next)
    while (outcome === 'aborted') outcome = await lease.commit(outputs, next)
  }
}

async function main(): Promise<void> {
  const bus = await openKafkaBus({
    brokers: brokers.split(','),
    clientId: 'copier',
    prefix,
    sessionTimeoutMs: 3_000,
    socketFactory: ({ host, port, onConnect }) => {
      const socket = connect({ host, port }, onConnect)
      const write = socket.write.bind(socket) as (...args: readonly unknown[]) => boolean
      socket.write = (...args: readonly unknown[]): boolean => {
        if ((args[0] as Buffer).readInt16BE(4) === END_TRANSACTION) commits += 1
        if (commits === dieAt && dieAt > 0) process.kill(process.pid, 'SIGKILL')
        return write(...args)
      }
      return socket
    },
  })
  await bus.join({
    group: `${prefix}copiers`,
    role: 'copier',
    topics: [`${prefix}in`],
    claimTopic: null,
    onGained: (lease) => {
      process.stdout.write(`gained ${lease.partition}\n`)
      void copyWhileOwned(lease, `${prefix}out`)
    },
  })
}

if (prefix !== '') void main()
