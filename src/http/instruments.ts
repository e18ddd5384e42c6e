/** Counters and gauges of one registry, made in one line each. */
import { Counter, Gauge, type Registry } from 'prom-client'

export function counterOf<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  ...labelNames: Label[]
): Counter<Label> {
  return new Counter<Label>({ name, help, labelNames, registers: [registry] })
}

/** A gauge that was never set is absent, not zero. */
export function gaugeOf<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  ...labelNames: Label[]
): Gauge<Label> {
  const gauge = new Gauge<Label>({ name, help, labelNames, registers: [registry] })
  if (labelNames.length === 0) gauge.remove()
  return gauge
}

export function setTotal(counter: Counter, total: number): void {
  counter.reset()
  counter.inc(total)
}
