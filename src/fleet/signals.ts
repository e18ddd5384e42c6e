/**
 * From what goes on in a node to what its telemetry says.
 *
 * Load makes heat (with the lag of a heat sink), heat makes throttling, full memory makes pressure,
 * pressure makes swapping, and each of these slows requests down. Every node has its own resting
 * values and its own noise, which is correlated over about a minute as real readings are.
 */
import type { NodeSpec } from './inventory.ts'
import { Random } from './random.ts'
import type { Drivers } from './trouble.ts'

/** Metrics of the node class `server`, in its order. */
export const METRICS = [
  'cpu_utilization',
  'cpu_temperature',
  'memory_utilization',
  'memory_pressure',
  'swap_utilization',
  'disk_utilization',
  'disk_latency',
  'disk_errors',
  'network_latency',
  'network_loss_ratio',
  'network_errors',
  'error_rate',
  'response_time',
  'gpu_utilization',
  'gpu_temperature',
  'gpu_memory_errors',
] as const

export type MetricName = (typeof METRICS)[number]
/** By metric, in the order of METRICS; null is missing. */
export type Reading = readonly (number | null)[]

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const NOISE_TAU_MS = 60_000
const HEAT_TAU_MS = 90_000
const CPU_CRITICAL_CELSIUS = 105
const GPU_CRITICAL_CELSIUS = 100
/** One sample in so many lacks one of its metrics. */
const MISSING_CHANCE = 0.03
/** Correlated noises, one each for: load, heat, memory, disk, network, response, GPU. */
const NOISES = 7

/** What the placed workloads ask of the node, as shares of its capacity. */
export interface Demand {
  readonly cpu: number
  readonly memory: number
  readonly gpu: number
}

export class NodeSignals {
  private readonly spec: NodeSpec
  private readonly random: Random
  private readonly rest
  private readonly noise = new Float64Array(NOISES)
  private temperature: number | null = null
  private diskErrors = 0
  private networkErrors = 0
  private gpuErrors = 0
  private lastAtMs: number | null = null

  constructor(seed: number, spec: NodeSpec) {
    this.spec = spec
    this.random = new Random(seed, `node/${spec.index}/noise`)
    const random = new Random(seed, `node/${spec.index}/rest`)
    this.rest = {
      ambient: random.between([24, 34]),
      heatPerLoad: random.between([25, 38]),
      intensity: random.between([0.5, 0.95]),
      memory: random.between([0.08, 0.3]),
      disk: random.between([0.25, 0.75]),
      diskFillMs: random.between([6, 30]) * HOUR_MS,
      diskLatencyMs: random.logBetween([0.4, 6]),
      networkLatencyMs: random.logBetween([0.3, 3]),
      responseMs: random.logBetween([15, 120]),
      strayNetworkErrors: random.logBetween([0.00005, 0.005]),
      strayDiskErrors: random.logBetween([0.000001, 0.00005]),
      dayShiftHours: random.between([-1.5, 1.5]),
      gpuHeat: random.between([30, 42]),
    }
  }

  /** After a repair the counters begin at zero and the metal is cold. */
  reboot(): void {
    this.temperature = null
    this.lastAtMs = null
    this.noise.fill(0)
    this.diskErrors = 0
    this.networkErrors = 0
    this.gpuErrors = 0
  }

  read(demand: Demand, drivers: Drivers, nowMs: number): Reading {
    const { rest, random } = this
    const elapsedMs = this.lastAtMs === null ? 0 : nowMs - this.lastAtMs
    this.lastAtMs = nowMs
    this.drift(elapsedMs)
    const day = this.activity(nowMs)
    const cpu = ratio(
      0.03 + demand.cpu * rest.intensity * day + drivers.load + 0.04 * this.noise[0],
    )
    const temperature = this.warm(cpu, drivers.heat, elapsedMs)
    const memory = this.memory(demand, drivers)
    const pressure = ratio(Math.max(0, memory - 0.86) * 4 + 0.004 * Math.abs(random.normal()))
    const swap = ratio(Math.max(0, memory - 0.9) * 6 * (1 + 0.1 * this.noise[2]))
    const throttle = Math.max(0, temperature - 92) * 0.06
    const diskLatency =
      rest.diskLatencyMs *
      (1 + drivers.diskLatency + 6 * swap + 0.8 * cpu) *
      Math.exp(0.18 * this.noise[3])
    const networkLatency =
      rest.networkLatencyMs *
      (1 + drivers.networkLatency + 0.3 * cpu) *
      Math.exp(0.12 * this.noise[4])
    const loss = ratio(drivers.loss * random.between([0.5, 1.5]) + this.strayLoss())
    this.count(drivers, elapsedMs)
    const queueing = 1 / (1 - 0.8 * Math.min(0.97, cpu))
    const slow = (1 + drivers.response + throttle + 5 * pressure + 8 * loss) * queueing
    const response = (rest.responseMs * slow + diskLatency + networkLatency) * this.jitter(5, 0.1)
    const errors = ratio(
      drivers.requestErrors + 0.4 * loss + 0.05 * pressure + 0.0008 * Math.abs(random.normal()),
    )
    const values = [
      cpu,
      temperature,
      memory,
      pressure,
      swap,
      this.diskFill(drivers, nowMs),
      diskLatency,
      this.diskErrors,
      networkLatency,
      loss,
      this.networkErrors,
      errors,
      response,
      ...this.gpu(demand, drivers, day),
    ]
    const reading = values.map((value) => (value === null ? null : tidy(value)))
    if (random.chance(MISSING_CHANCE)) reading[random.index(reading.length)] = null
    return reading
  }

  /** First-order autoregressive noise, unit variance, whatever the step. */
  private drift(elapsedMs: number): void {
    const keep = Math.exp(-elapsedMs / NOISE_TAU_MS)
    const fresh = Math.sqrt(1 - keep * keep)
    for (let i = 0; i < NOISES; i++) {
      this.noise[i] = this.noise[i] * keep + fresh * this.random.normal()
    }
  }

  /** 0.4 in the small hours, 1 in the afternoon, by the local time of the region. */
  private activity(nowMs: number): number {
    const shiftMs = (this.spec.utcOffsetHours + this.rest.dayShiftHours) * HOUR_MS
    const phase = ((nowMs + shiftMs) % DAY_MS) / DAY_MS
    return 0.7 - 0.3 * Math.cos(2 * Math.PI * (phase - 0.125))
  }

  private warm(cpu: number, heat: number, elapsedMs: number): number {
    const aim = this.rest.ambient + 8 + this.rest.heatPerLoad * cpu
    const before = this.temperature ?? aim
    this.temperature = aim + (before - aim) * Math.exp(-elapsedMs / HEAT_TAU_MS)
    const shown = this.temperature + (CPU_CRITICAL_CELSIUS - this.temperature) * Math.min(1, heat)
    return shown + 0.7 * this.noise[1] + 0.3 * this.random.normal()
  }

  private memory(demand: Demand, drivers: Drivers): number {
    const used = this.rest.memory + 0.75 * demand.memory + 0.012 * this.noise[2]
    return ratio(used + (1 - used) * Math.min(1, drivers.memory))
  }

  /** A saw: it fills over hours and is cleaned up. */
  private diskFill(drivers: Drivers, nowMs: number): number {
    const saw = (nowMs % this.rest.diskFillMs) / this.rest.diskFillMs
    const used = this.rest.disk + 0.15 * saw
    return ratio(used + (1 - used) * Math.min(1, drivers.diskFill))
  }

  private strayLoss(): number {
    return this.random.chance(0.01) ? this.random.between([0, 0.004]) : 0
  }

  private count(drivers: Drivers, elapsedMs: number): void {
    const seconds = elapsedMs / 1_000
    const { random, rest } = this
    this.diskErrors += random.poisson((rest.strayDiskErrors + drivers.diskErrors) * seconds)
    this.networkErrors += random.poisson(
      (rest.strayNetworkErrors + drivers.networkErrors) * seconds,
    )
    this.gpuErrors += random.poisson((0.00002 + drivers.gpuErrors) * seconds)
  }

  private gpu(demand: Demand, drivers: Drivers, day: number): readonly (number | null)[] {
    if (this.spec.capacity.gpu === null) return [null, null, null]
    const load = ratio(demand.gpu * (0.55 + 0.4 * day) + 0.03 * this.noise[6])
    const resting = this.rest.ambient + 6 + this.rest.gpuHeat * load
    const temperature = resting + (GPU_CRITICAL_CELSIUS - resting) * Math.min(1, drivers.gpuHeat)
    return [load, temperature + 0.8 * this.noise[6] + 0.3 * this.random.normal(), this.gpuErrors]
  }

  private jitter(noise: number, size: number): number {
    return Math.exp(size * this.noise[noise] + 0.5 * size * this.random.normal())
  }
}

function ratio(value: number): number {
  return value < 0 ? 0 : value > 1 ? 1 : value
}

/** Four decimals: what a sensor gives, and half the bytes. */
function tidy(value: number): number {
  return Math.round(value * 10_000) / 10_000
}
