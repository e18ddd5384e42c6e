/** The simulated bus as the contract wants it. Time runs by itself from alarm to alarm. */
import type { Bus, Output } from '../../src/core/bus.ts'
import type { SimulatedBroker, SimulatedBusOptions } from '../../src/bus/simulated/simulated-bus.ts'
import { createSimulatedBus } from '../../src/bus/simulated/simulated-bus.ts'
import type { BusHarness, OpenTransaction } from './harness.ts'

/** Slow and out of order between partitions, but without failures: those are forced where wanted. */
const DELAYS = { ackDelayMsMax: 3, deliveryDelayMsMax: 20 }

/** Longer than the retention of any topic in the suite. */
const RETENTION_MS_MAX = 86_400_000

export async function simulatedHarness(
  options: Partial<SimulatedBusOptions> = {},
): Promise<BusHarness> {
  const broker = createSimulatedBus({ seed: 1, startMs: 1_000_000, faults: DELAYS, ...options })
  const stop = broker.clock.run()
  const opened: Bus[] = []
  const open = async (): Promise<Bus> => {
    const bus = broker.open()
    opened.push(bus)
    return bus
  }
  return {
    name: 'simulated',
    prefix: 'clause.',
    patienceMs: 60_000,
    overshootBytesMax: 0,
    open,
    pause: async (ms) => await new Promise<void>((resolve) => void broker.clock.after(ms, resolve)),
    seize: async (seizure) => await broker.seize(seizure),
    openTransaction: async () => stagedTransaction(broker.open()),
    expire: async () => expire(broker),
    failNextCommit: (fault) => broker.failNextCommit(fault),
    compact: async () => broker.clean(),
    stepClockBack: (ms) => broker.stepLogClock(-ms),
    dispose: async () => {
      await Promise.all(opened.map((bus) => bus.close()))
      stop()
    },
  }
}

/** Buses that write a transaction only at its commit keep it with the sender until then. */
export function stagedTransaction(bus: Bus): OpenTransaction {
  const staged: Output[] = []
  return {
    send: async (outputs) => void staged.push(...outputs),
    commit: async () => void (await bus.produce(staged)),
    abort: async () => void staged.splice(0),
  }
}

/** All that is there now is older than any retention a moment later. */
function expire(broker: SimulatedBroker): void {
  broker.stepLogClock(RETENTION_MS_MAX)
  broker.clean()
}
