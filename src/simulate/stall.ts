/** Ingest that hangs now and then: it keeps its partitions and writes nothing, so watchers lose sight. */
import type { Bus, Lease, MembershipOptions } from '../core/bus.ts'

export class Stall {
  #over: Promise<void> | null = null

  begin(ms: number, after: (ms: number, callback: () => void) => void): void {
    const over = new Promise<void>((resolve) => {
      after(ms, () => {
        if (this.#over === over) this.#over = null
        resolve()
      })
    })
    this.#over = over
  }

  /** As the bus is, but for commits, which wait. */
  of(bus: Bus): Bus {
    const join = (options: MembershipOptions) =>
      bus.join({ ...options, onGained: (lease) => options.onGained(this.#slowed(lease)) })
    return withOther(bus, { join })
  }

  #slowed(lease: Lease): Lease {
    const commit: Lease['commit'] = async (outputs, next) => {
      while (this.#over !== null) await this.#over
      return lease.commit(outputs, next)
    }
    return withOther(lease, { commit })
  }
}

/** What is not given stays as it is. */
function withOther<Thing extends object>(thing: Thing, others: Partial<Thing>): Thing {
  const methods = new Map<string | symbol, unknown>(Object.entries(others))
  return new Proxy(thing, {
    get(target, name) {
      const method = methods.get(name)
      if (method !== undefined) return method
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      const bound: unknown = value.bind(target)
      methods.set(name, bound)
      return bound
    },
  })
}
