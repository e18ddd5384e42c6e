/**
 * What it costs to predict every node of a fleet once a minute: feature rows, inference, and writing
 * the predictions and assessments to the broker, as a share of one core. CPU time of our process; the
 * broker's is its own. Where there is no broker the row says that writing is left out.
 */
import type { Output } from '../../src/core/bus.ts'
import { assert } from '../../src/core/errors.ts'
import { kafkaBrokers } from '../../test/support/kafka.ts'
import { median } from '../../training/alerts.ts'
import type { Bench } from '../bench.ts'
import { type BenchDeployment, createDeployment } from '../end-to-end/deployment.ts'
import { cpuMsSince, FoldedFleet } from './folded-fleet.ts'

const NODES = 100_000
const MINUTE_S = 60
const MINUTE_MS = 60_000
const SHARE_MAX = 0.005
/** Outputs of one transaction, as many as a role commits at once at most. */
const OUTPUTS_AT_ONCE = 20_000

const RECORDS_MAX = 100

export const bench: Bench = {
  name: 'prediction overhead',
  async run({ quick, log }) {
    const brokers = await kafkaBrokers()
    const deployment = brokers === null ? null : await createDeployment(brokers, 'bench-growth', 1)
    try {
      const fleet = await FoldedFleet.create(NODES)
      const shares: number[] = []
      const figures = { foldMs: 0, writeMs: 0, outputs: 0, outputBytes: 0 }
      const rounds = quick ? 3 : 7
      // The first two minutes fill the table and warm the code.
      for (let minute = 0; minute < rounds + 2; minute++) {
        const before = fleet.stats()['predictionCount'] ?? 0
        let cpuMs = 0
        let predicted = 0
        const outputs: Output[] = []
        // Each record makes a buffer full of the rows that are due.
        for (let record = 0; record < RECORDS_MAX && predicted < NODES; record++) {
          const told = await fleet.tick()
          cpuMs += told.cpuMs
          outputs.push(...told.outputs)
          predicted = (fleet.stats()['predictionCount'] ?? 0) - before
        }
        const writeMs = deployment === null ? 0 : await written(deployment, outputs)
        if (minute >= 2) {
          assert(predicted === NODES, `${predicted} of ${NODES} nodes were predicted`)
          const share = (cpuMs + writeMs) / MINUTE_MS
          shares.push(share)
          Object.assign(figures, { foldMs: cpuMs, writeMs, outputs: outputs.length })
          figures.outputBytes = outputs.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)
          log(`  fold ${Math.round(cpuMs)} ms, write ${Math.round(writeMs)} ms of a minute`)
        }
        await fleet.samples()
        await fleet.seconds(MINUTE_S - 1)
      }
      const value = median(shares)
      const ok = value !== null && value < SHARE_MAX
      return [
        {
          what: 'share of a core to predict 100,000 nodes every minute',
          against: deployment === null ? 'not written (no Kafka broker)' : null,
          value,
          reach: `< ${SHARE_MAX}`,
          ok,
          spread: [Math.min(...shares), Math.max(...shares)] as const,
          better: 'less' as const,
          figures,
        },
      ]
    } finally {
      await deployment?.close()
    }
  },
}

/** CPU ms of handing the outputs to the broker. */
async function written(
  { bus, topology }: BenchDeployment,
  outputs: readonly Output[],
): Promise<number> {
  const own = outputs.map((output) => ({ ...output, topic: topology.prefix + output.topic }))
  const before = process.cpuUsage()
  for (let from = 0; from < own.length; from += OUTPUTS_AT_ONCE) {
    await bus.produce(own.slice(from, from + OUTPUTS_AT_ONCE))
  }
  return cpuMsSince(before)
}
