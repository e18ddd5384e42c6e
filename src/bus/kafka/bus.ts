/** The bus on Apache Kafka. What kafkajs does not promise by itself is described where it is mended. */
import { randomUUID } from 'node:crypto'

import type {
  Bus,
  BusHealth,
  Membership,
  MembershipOptions,
  Output,
  Position,
  Reader,
  ReaderOptions,
  TopicDescription,
  TopicSpec,
} from '../../core/bus.ts'
import { ServiceError } from '../../core/errors.ts'
import { Admin } from './admin.ts'
import { Appender } from './appender.ts'
import type { KafkaBusOptions } from './client.ts'
import { CONNECT_ATTEMPTS_MAX } from './client.ts'
import { busClosed, isLoginRefused, topicMissing, unreachable } from './failure.ts'
import { KafkaMembership } from './membership.ts'
import { Pulse } from './pulse.ts'
import { KafkaReader, readFrom } from './reader.ts'

/** Fails with BUS_UNREACHABLE when no broker answers; outages after that are waited out. */
export async function openKafkaBus(options: KafkaBusOptions): Promise<Bus> {
  const pulse = new Pulse(options.log)
  const attemptsMax = options.connectAttemptsMax ?? CONNECT_ATTEMPTS_MAX
  for (let attempt = 1; ; attempt++) {
    const admin = new Admin(options, pulse)
    try {
      await admin.connect()
      return new KafkaBus(options, pulse, admin)
    } catch (error) {
      await admin.close()
      if (attempt >= attemptsMax || isLoginRefused(error)) throw unreachable(options, error)
      options.log?.('kafka does not answer, trying again', { attempt, attemptsMax })
    }
  }
}

class KafkaBus implements Bus {
  readonly name = 'kafka'
  readonly capabilities: Bus['capabilities'] = new Set(['processes', 'compression'] as const)
  readonly #options: KafkaBusOptions
  readonly #pulse: Pulse
  readonly #admin: Admin
  readonly #appender: Appender
  readonly #memberships = new Set<KafkaMembership>()
  readonly #readers = new Set<KafkaReader>()
  readonly #owner: string
  #closed: Promise<void> | undefined

  constructor(options: KafkaBusOptions, pulse: Pulse, admin: Admin) {
    this.#options = options
    this.#pulse = pulse
    this.#admin = admin
    this.#appender = new Appender(options, pulse, admin)
    this.#owner = `${options.clientId}-${randomUUID()}`
  }

  create(specs: readonly TopicSpec[]): Promise<void> {
    return this.#admin.create(specs)
  }

  describe(names: readonly string[]): Promise<ReadonlyMap<string, TopicDescription>> {
    return this.#admin.describe(names)
  }

  produce(outputs: readonly Output[]): Promise<readonly Position[]> {
    return this.#appender.append(outputs)
  }

  async join(options: MembershipOptions): Promise<Membership> {
    await this.#refuseUnequal(options.topics)
    if (this.#closed !== undefined) throw busClosed()
    const membership = new KafkaMembership(this.#context(), options)
    for (const each of this.#memberships) if (each.left) this.#memberships.delete(each)
    this.#memberships.add(membership)
    return membership
  }

  async read(options: ReaderOptions): Promise<Reader> {
    const from = await readFrom(this.#admin, options)
    if (this.#closed !== undefined) throw busClosed()
    const reader = new KafkaReader(this.#context(), options.topic, from)
    for (const each of this.#readers) if (each.closed) this.#readers.delete(each)
    this.#readers.add(reader)
    return reader
  }

  starts(topic: string): Promise<readonly number[]> {
    return this.#admin.starts(topic)
  }

  ends(topic: string): Promise<readonly number[]> {
    return this.#admin.ends(topic)
  }

  async committed(group: string, topic: string): Promise<readonly number[]> {
    const offsets = await this.#admin.groupOffsets(group, [topic])
    return offsets.get(topic) ?? []
  }

  nowMs(): number {
    return Date.now()
  }

  health(): BusHealth {
    let stuckCount = 0
    for (const membership of this.#memberships) stuckCount += membership.stuckCount
    return this.#pulse.health(stuckCount)
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  async #close(): Promise<void> {
    await Promise.all([
      ...[...this.#memberships].map((membership) => membership.leave()),
      ...[...this.#readers].map((reader) => reader.close()),
      this.#appender.close(),
    ])
    await this.#admin.close()
  }

  #context() {
    return {
      bus: this.#options,
      pulse: this.#pulse,
      admin: this.#admin,
      owner: this.#owner,
    }
  }

  /** One lease spans the same number of every topic, so the numbers must be the same. */
  async #refuseUnequal(topics: readonly string[]): Promise<void> {
    const described = await this.#admin.describe(topics)
    const counts = topics.map((topic) => {
      const found = described.get(topic)
      if (found === undefined) throw topicMissing(topic)
      return found.partitions
    })
    if (new Set(counts).size <= 1) return
    throw new ServiceError(
      'TOPIC_MISMATCH',
      `topics of one membership need the same number of partitions: ` +
        topics.map((topic, i) => `${topic} has ${counts[i]}`).join(', '),
    )
  }
}
