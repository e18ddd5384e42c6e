/**
 * The faults file: what may go wrong in a simulated world, each with ranges from which a seed draws its
 * own rate and sizes. A table that is left out does not happen.
 */
import { z } from 'zod'
import { checked, duration, type TomlTable } from '../config/toml.ts'

const ratio = z.number().min(0).max(1)
const ordered = (value: z.ZodType<number>) =>
  z.tuple([value, value]).refine(([least, most]: readonly [number, number]) => least <= most, {
    error: 'expected [least, most], the least first',
  })
const ratios = ordered(ratio)
const numbers = ordered(z.number().min(0))
const lengths = ordered(duration)

/** Of a delay whose median and 99th percentile were measured; log-normal between and beyond them. */
const delay = z.strictObject({ p50: duration, p99: duration })

/** Of hours, at the 10th, 25th, 50th, 75th and 90th percentile. */
const percentiles = z.tuple([
  z.number().gt(0),
  z.number().gt(0),
  z.number().gt(0),
  z.number().gt(0),
  z.number().gt(0),
])

const crashes = z.strictObject({
  per_node_hour: numbers,
  /** Share that shows in the telemetry before, and for how long. */
  foreseeable: ratios,
  build_up: lengths,
  /** Share that an event confirms, so long after the fault. */
  confirmed: ratios,
  confirmed_after: lengths,
  /** Repairs, before `acceleration` divides them. */
  repair_hours: percentiles,
  acceleration: z.number().min(1),
  /** Share followed by another crash of the same rack, and how soon. */
  followed: ratios,
  followed_within: lengths,
  /** Share that a restart mends, before or after the crash. */
  restartable: ratio.default(0.3),
})
const troubles = z.strictObject({ per_node_hour: numbers, lasts: lengths })
const spells = z.strictObject({ per_hour: numbers, lasts: lengths })

/** `size`: times slower (`slow_network`), share of its time until memory is full, or seconds between. */
const ailment = troubles.extend({ size: numbers.default([1, 1]) })

const schema = z.strictObject({
  /** Before the first fault, so that every node has a past. */
  warm_up: duration.optional(),
  /** Nodes probe so many peers each time, and tell of it; checks, digests and challenges come with it. */
  witnesses: z
    .strictObject({ every: duration, peers: z.int().min(1).max(64), lost_probes: ratios })
    .optional(),
  ailments: z
    .strictObject({
      slow_network: ailment,
      memory_leak: ailment,
      service_down: ailment,
      container_loop: ailment,
      corruption: ailment,
      lies: ailment,
      impostor: ailment,
    })
    .partial()
    .optional(),
  crashes: crashes.optional(),
  /** A node that answers late: every latency times `factor`. */
  slow: troubles.extend({ factor: numbers }).optional(),
  /** Silent and there again by turns. */
  flapping: troubles.extend({ period: lengths }).optional(),
  /** A share of the nodes is cut off: both ways, or one way only. */
  network_partitions: spells.extend({ nodes: ratios, one_way: ratio }).optional(),
  zone_loss: spells.optional(),
  /** The model gone mad: a share of the healthy nodes is said to fail soon. */
  false_wave: spells.extend({ nodes: ratios }).optional(),
  /** Telemetry on its way; results are lost and repeated as well. */
  records: z
    .strictObject({
      lost: ratios,
      repeated: ratios,
      late: ratios,
      late_by: lengths,
    })
    .optional(),
  clocks: z.strictObject({ skewed: ratios, skew: lengths }).optional(),
  executors: z
    .strictObject({
      lying: ratios,
      failing: ratios,
      dying_per_hour: numbers,
      dead_for: lengths,
      command_delay: delay,
      move: delay,
      fence: delay,
      restart: delay.optional(),
      replicate: delay.optional(),
      promote: delay.optional(),
    })
    .optional(),
  service: z
    .strictObject({
      kills_per_hour: numbers,
      /** Share of commands after which the process that may have sent them is killed. */
      killed_after_command: ratios,
      back_after: lengths,
      /** Owners that the broker thinks dead while they live. */
      expired_per_hour: numbers,
      group_rebalances_per_hour: numbers,
      /** Ingest hangs, and watchers lose sight of all nodes. */
      stalls_per_hour: numbers.default([0, 0]),
      stalled_for: lengths.default([20_000, 60_000]),
    })
    .optional(),
  broker: z
    .strictObject({
      ack: lengths,
      delivery: lengths,
      aborted: ratios,
      unknown: ratios,
    })
    .optional(),
  operators: z
    .strictObject({
      vetoes: spells,
      stops: spells,
      observes: spells,
      maintenances: spells,
    })
    .partial()
    .optional(),
})

export type Faults = z.output<typeof schema>
export type Delay = z.output<typeof delay>

/** ServiceError CONFIG_INVALID, with one line per mistake. */
export function parseFaults(table: TomlTable, file: string): Faults {
  return checked(schema, table, file)
}
