/**
 * The checks of one agent: each has a bulkhead and a timeout of its own, so that a service that hangs keeps no other
 * from being looked at, and nothing more. A look is evidence: a breaker would hide a service that is down, or one
 * that is back, and a retry would hide one that fails now and then. A look that was not made says nothing.
 */
import type { Output } from '../core/bus.ts'
import { never, ServiceError } from '../core/errors.ts'
import { CallFailure, CallRefused, type GuardFigures, lookRules } from '../core/guard.ts'
import { DEFAULT_GUARD, type GuardRules, type Priority } from '../core/guard.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import { Guards } from '../resilience/guard.ts'
import { evidenceOutput, NO_ANSWER, probeHttp, probeTcp, type Seen } from './probe.ts'
import { type ContainerAddress, probeContainer } from './probe-container.ts'
import type { Reporter } from './report.ts'

/** Of one agent. */
export const CHECKS_MAX = 256

export interface Check {
  /** Where the service runs. */
  readonly about: NodeId
  readonly service: string
  /** How long an answer may take: a critical check says sooner that there is none. */
  readonly priority: Priority
  readonly how:
    | { readonly probe: 'tcp'; readonly host: string; readonly port: number }
    | { readonly probe: 'http'; readonly url: string }
    | ({ readonly probe: 'container' } & ContainerAddress)
}

export interface ProberOptions extends Reporter {
  readonly pool: PoolId
  /** Who looks. */
  readonly node: NodeId
  readonly checks: readonly Check[]
  /** Of which breaker and retries are left out; default DEFAULT_GUARD. */
  readonly rules?: GuardRules
  /** What evidence is dated by. */
  readonly nowMs: () => number
  /** What answers are measured by; it never goes back. */
  readonly clockMs: () => number
  /** After every look. */
  readonly changed?: (figures: GuardFigures) => void
}

export class Prober {
  readonly #options: ProberOptions
  readonly #guards: Guards
  /** By target: which end of its container was told last. */
  readonly #ends = new Map<string, string>()

  /** @throws ServiceError CONFIG_INVALID where there are too many checks, or one is there twice. */
  constructor(options: ProberOptions) {
    const { checks, clockMs, changed, rules = DEFAULT_GUARD } = options
    if (checks.length > CHECKS_MAX) {
      const mend = `leave some to other agents, an agent makes at most ${CHECKS_MAX}`
      throw new ServiceError('CONFIG_INVALID', `checks: there are ${checks.length}; ${mend}`)
    }
    const names = new Set<string>()
    for (const name of checks.map(targetOf)) {
      if (names.has(name)) {
        throw new ServiceError('CONFIG_INVALID', `checks: ${name} is there twice; name it once`)
      }
      names.add(name)
    }
    this.#options = options
    this.#guards = new Guards(lookRules(rules), {
      // Only pauses before retries are drawn, and there are none.
      random: () => 0,
      nowMs: clockMs,
      ...(changed === undefined ? {} : { changed }),
    })
  }

  /** Of each check: what became of its looks; the state is `closed`, because nothing is ever kept back. */
  figures(): readonly GuardFigures[] {
    return this.#guards.figures()
  }

  /** Looks at each service once; evidence of those that were looked at. Rounds may overlap. */
  async round(): Promise<readonly Output[]> {
    const looks = await Promise.all(this.#options.checks.map((check) => this.#look(check)))
    return looks.flatMap((output) => output ?? [])
  }

  /** Null where nobody looked (too many looks at work, a silent engine), and where an end of a container was told. */
  async #look(check: Check): Promise<Output | null> {
    const { pool, node, nowMs } = this.#options
    const atMs = nowMs()
    const seen = await this.#see(check)
    if (seen === null) return null
    const { about, service, how } = check
    return evidenceOutput(this.#options, {
      kind: 'service-check',
      pool,
      node,
      atMs,
      about,
      service,
      probe: how.probe,
      ...seen,
    })
  }

  async #see(check: Check): Promise<Seen | null> {
    // Of a container its engine speaks: where that is silent, nobody has looked.
    let seen = check.how.probe === 'container' ? null : NO_ANSWER
    try {
      await this.#guards.of(targetOf(check)).call(check.priority, async (signal) => {
        seen = await this.#probe(check, signal)
        if (seen?.ok !== true) throw new CallFailure('there is no answer, or a bad one', true)
      })
    } catch (error) {
      if (error instanceof CallRefused) return null
    }
    return seen
  }

  /** The end of a container is told once: to those who count its ends each word is another one. */
  async #probeContainer(
    target: string,
    address: ContainerAddress,
    signal: AbortSignal,
  ): Promise<Seen | null> {
    const found = await probeContainer(address, signal, this.#options.clockMs)
    if (found === null) return null
    const { end, ...seen } = found
    const isKnown = end !== null && this.#ends.get(target) === end
    if (end === null) this.#ends.delete(target)
    else this.#ends.set(target, end)
    return isKnown ? null : seen
  }

  #probe(check: Check, signal: AbortSignal): Promise<Seen | null> {
    const { clockMs } = this.#options
    const { how } = check
    switch (how.probe) {
      case 'tcp':
        return probeTcp(how, signal, clockMs)
      case 'http':
        return probeHttp(how.url, signal, clockMs)
      case 'container':
        return this.#probeContainer(targetOf(check), how, signal)
      default:
        return never(how)
    }
  }
}

function targetOf({ about, service }: Check): string {
  return `${about}/${service}`
}
