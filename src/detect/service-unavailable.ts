/**
 * A service that does not answer. Checks over TCP and HTTP count when they fail in a row, and an
 * observer that sees most services fail is blind itself and counts for nothing. A container is judged
 * by its exit code (128 + signal, as shells and container runtimes have it).
 */
import { isFailing, type ServiceCheck } from '../core/evidence.ts'
import type { Evidence, FaultKind, Finding, Severity } from '../core/fault.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import { detector, type DetectorFold, found, NOTHING_FOUND, well } from './detector.ts'
import { count, duration, ratio, type Values } from './settings.ts'

const SETTINGS = {
  failuresMin: count(3, 1, 100),
  /** Of the observers that see, these must see it fail. */
  observersRatio: ratio(0.5, 0, 1),
  checkFresh: duration(120_000, 1_000, 86_400_000),
  /** Exits within the window that are a loop and no accident. */
  exitsMax: count(3, 1, 1_000),
  exitWindow: duration(600_000, 1_000, 86_400_000),
} as const

/** Services of a pool and observers of each that are followed; further ones are counted and left out. */
const SERVICES_MAX = 20_000
const OBSERVERS_MAX = 64
/** An observer with fewer services than this is never called blind. */
const BLIND_SERVICES_MIN = 4
/** Exit codes of an end that was meant: success, SIGINT, SIGTERM. */
const MEANT: ReadonlySet<number> = new Set([0, 130, 143])
/** SIGKILL: the kernel took the memory back, or somebody forced the end. */
const KILLED = 137

interface View {
  failures: number
  heardAtMs: number
  readonly status: number | null
}

interface Service {
  readonly views: Map<NodeId, View>
  /** Times of unmeant exits, newest last. */
  exits: readonly number[]
}

export const serviceUnavailable = detector({
  name: 'service-unavailable',
  inputs: ['service-check', 'departure'],
  enabled: true,
  settings: SETTINGS,
  create: (values, pool): DetectorFold => new ServiceFold(values, pool),
})

class ServiceFold implements DetectorFold {
  readonly #limits: Values<typeof SETTINGS>
  readonly #pool: PoolId
  readonly #services = new Map<string, Service>()
  /** Observer → services that it sees, and that it sees fail. */
  readonly #observers = new Map<
    NodeId,
    { readonly seen: Set<string>; readonly failing: Set<string> }
  >()
  #blindCount = 0
  #leftOutCount = 0

  constructor(limits: Values<typeof SETTINGS>, pool: PoolId) {
    this.#limits = limits
    this.#pool = pool
  }

  take(input: Parameters<DetectorFold['take']>[0], nowMs: number): readonly Finding[] {
    if (input.kind === 'departure') this.#depart(input.node)
    if (input.kind !== 'service-check') return NOTHING_FOUND
    const key = `${input.record.about}/${input.record.service}`
    const service = this.#service(key)
    if (service === undefined) return NOTHING_FOUND
    return input.record.probe === 'container'
      ? this.#weighExit(key, service, input.record, nowMs)
      : this.#weighCheck(key, service, input.record, nowMs)
  }

  stats(): Readonly<Record<string, number>> {
    return {
      services: this.#services.size,
      observers: this.#observers.size,
      blindObservers: this.#blindCount,
      leftOut: this.#leftOutCount,
    }
  }

  #weighCheck(
    key: string,
    service: Service,
    check: ServiceCheck,
    nowMs: number,
  ): readonly Finding[] {
    const view = service.views.get(check.node)
    if (view === undefined && service.views.size === OBSERVERS_MAX) {
      this.#leftOutCount++
      return NOTHING_FOUND
    }
    const fails = isFailing(check)
    const failures = fails ? (view?.failures ?? 0) + 1 : 0
    service.views.set(check.node, { failures, heardAtMs: nowMs, status: check.status })
    this.#noteObserver(check.node, key, failures >= this.#limits.failuresMin)
    const sighted = [...service.views].filter(
      ([observer, { heardAtMs }]) =>
        nowMs - heardAtMs <= this.#limits.checkFresh && !this.#isBlind(observer),
    )
    const failing = sighted.filter(([, each]) => each.failures >= this.#limits.failuresMin)
    const enough = failing.length >= Math.max(1, this.#limits.observersRatio * sighted.length)
    if (!enough) return well(`${key}/answer`, 'it answers again')
    const share = failing.length / sighted.length
    const alone = sighted.length === 1
    return this.#found(check, 'service-unavailability', `${key}/answer`, nowMs, {
      severity: alone ? 'error' : 'critical',
      confidenceRatio: alone ? 0.7 : share,
      evidence: [
        { what: 'service', value: check.service, limit: null },
        { what: 'observersFailing', value: failing.length, limit: sighted.length },
        {
          what: check.probe === 'http' ? 'httpStatus' : 'tcp',
          value: check.status ?? 'no answer',
          limit: null,
        },
      ],
    })
  }

  #weighExit(
    key: string,
    service: Service,
    check: ServiceCheck,
    nowMs: number,
  ): readonly Finding[] {
    const subject = `${key}/container`
    const code = check.status
    if (check.ok || (code !== null && MEANT.has(code))) {
      const recent = service.exits.filter((atMs) => nowMs - atMs <= this.#limits.exitWindow)
      service.exits = recent
      // A loop runs again and again between its exits.
      return recent.length === 0 ? well(subject, 'it has run without an exit since') : NOTHING_FOUND
    }
    const within = service.exits.filter((atMs) => nowMs - atMs <= this.#limits.exitWindow)
    service.exits = [...within, nowMs].slice(-this.#limits.exitsMax)
    const looping = service.exits.length >= this.#limits.exitsMax
    return this.#found(
      check,
      code === KILLED ? 'resource-exhaustion' : 'software',
      subject,
      nowMs,
      {
        severity: looping ? 'error' : 'warning',
        confidenceRatio: looping ? 1 : 0.6,
        evidence: [
          { what: 'service', value: check.service, limit: null },
          { what: 'exitCode', value: code ?? 'unknown', limit: 0 },
          { what: 'exits', value: service.exits.length, limit: this.#limits.exitsMax },
          { what: 'meaning', value: meaningOf(code), limit: null },
        ],
      },
    )
  }

  #found(
    { about }: ServiceCheck,
    kind: FaultKind,
    subject: string,
    atMs: number,
    rest: {
      readonly severity: Severity
      readonly confidenceRatio: number
      readonly evidence: readonly Evidence[]
    },
  ): readonly Finding[] {
    const detectorName = serviceUnavailable.name
    return found({
      detector: detectorName,
      kind,
      subject,
      node: about,
      pool: this.#pool,
      atMs,
      ...rest,
    })
  }

  /** It sees most services fail on most nodes, while others see them answer. */
  #isBlind(observer: NodeId): boolean {
    const own = this.#observers.get(observer)
    if (own === undefined || own.seen.size < BLIND_SERVICES_MIN) return false
    if (2 * own.failing.size <= own.seen.size) return false
    let contradicted = 0
    for (const key of own.failing) {
      const views = this.#services.get(key)?.views ?? new Map<NodeId, View>()
      for (const [other, { failures }] of views) {
        if (other === observer || failures > 0) continue
        contradicted++
        break
      }
    }
    const blind = 2 * contradicted > own.failing.size
    if (blind) this.#blindCount++
    return blind
  }

  #noteObserver(observer: NodeId, key: string, fails: boolean): void {
    let own = this.#observers.get(observer)
    if (own === undefined) {
      own = { seen: new Set(), failing: new Set() }
      this.#observers.set(observer, own)
    }
    own.seen.add(key)
    if (fails) own.failing.add(key)
    else own.failing.delete(key)
  }

  #depart(node: NodeId): void {
    this.#observers.delete(node)
    for (const [key, service] of this.#services) {
      if (key.startsWith(`${node}/`)) this.#services.delete(key)
      else service.views.delete(node)
    }
  }

  #service(key: string): Service | undefined {
    let service = this.#services.get(key)
    if (service === undefined) {
      if (this.#services.size === SERVICES_MAX) {
        this.#leftOutCount++
        return undefined
      }
      service = { views: new Map(), exits: [] }
      this.#services.set(key, service)
    }
    return service
  }
}

function meaningOf(code: number | null): string {
  if (code === null) return 'no exit code'
  if (code === 125) return 'the container runtime failed'
  if (code === 126) return 'the command cannot be run'
  if (code === 127) return 'the command was not found'
  if (code === KILLED) return 'killed: out of memory, or forced to end'
  if (code === 139) return 'a memory access fault'
  return code > 128 ? `ended by signal ${code - 128}` : 'the program failed'
}
