/** Reads several partitions of the store in turn, from a position in each, and waits for more. */
import type { LeaseBuffer, LogRecord } from '../../core/bus.ts'
import { ServiceError } from '../../core/errors.ts'
import type { LogStore, WaitClock } from './log-store.ts'
import { Nap } from './nap.ts'

export interface CursorStart {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

interface Track {
  readonly topic: string
  readonly partition: number
  next: number
}

export class Cursor {
  readonly #store: LogStore
  readonly #nap: Nap
  readonly #clock: WaitClock
  readonly #tracks: Track[]
  readonly #silence: (() => void)[]
  readonly #bytesMax: number
  #turn = 0
  #closed = false
  /** When records began to wait that nobody has taken since; `null` while caught up. */
  #waitingSinceMs: number | null = null

  constructor(store: LogStore, clock: WaitClock, starts: readonly CursorStart[], bytesMax: number) {
    this.#store = store
    this.#clock = clock
    this.#nap = new Nap(clock)
    this.#bytesMax = bytesMax
    this.#tracks = starts.map(({ topic, partition, offset }) => ({
      topic,
      partition,
      // Whoever asks for the very beginning means the oldest that is kept.
      next: offset === 0 ? store.start(topic, partition) : offset,
    }))
    this.#silence = this.#tracks.map(({ topic, partition }) =>
      store.bells.listen(topic, partition, () => {
        this.#waitingSinceMs ??= clock.nowMs()
        this.#nap.wake()
      }),
    )
    if (this.behind() > 0) this.#waitingSinceMs = clock.nowMs()
  }

  get waitingSinceMs(): number | null {
    return this.#waitingSinceMs
  }

  async take(waitMs: number): Promise<readonly LogRecord[]> {
    const deadlineMs = this.#clock.nowMs() + waitMs
    while (!this.#closed) {
      const records = this.#read()
      if (records.length > 0) return records
      const leftMs = deadlineMs - this.#clock.nowMs()
      if (leftMs <= 0) break
      await this.#nap.sleep(leftMs)
    }
    return []
  }

  /** Of a topic: its ends by partition. */
  reached(ends: readonly number[]): boolean {
    return this.#tracks.every(({ partition, next }) => next >= (ends[partition] ?? 0))
  }

  behind(): number {
    return this.#tracks.reduce((sum, track) => {
      return sum + Math.max(0, this.#store.end(track.topic, track.partition) - track.next)
    }, 0)
  }

  /** What one `take` would give, without taking it; `paused` where more waits than it may hold. */
  next(): Omit<LeaseBuffer, 'bytesMax'> {
    let [recordCount, bytes] = [0, 0]
    let paused = false
    for (const { topic, partition, next } of this.#tracks) {
      const end = this.#store.end(topic, partition)
      if (next >= end) continue
      const room = this.#bytesMax - bytes
      const slice = room > 0 ? this.#store.read(topic, partition, next, room) : null
      for (const record of slice?.records ?? []) bytes += recordBytes(record)
      recordCount += slice?.records.length ?? 0
      paused ||= (slice?.next ?? next) < end
    }
    return { recordCount, bytes, paused }
  }

  close(): void {
    this.#closed = true
    for (const silence of this.#silence) silence()
    this.#nap.wake()
  }

  /** A share for each partition first, so that a full one does not starve the others. */
  #read(): LogRecord[] {
    const records: LogRecord[] = []
    let bytesLeft = this.#bytesMax
    const count = this.#tracks.length
    const behindCount = this.#tracks.filter((track) => this.#lag(track) > 0).length
    for (let i = 0; i < count && bytesLeft > 0; i++) {
      const track = this.#tracks[(this.#turn + i) % count]
      if (this.#lag(track) === 0) continue
      const share = Math.max(1, Math.min(bytesLeft, Math.floor(this.#bytesMax / behindCount)))
      const bytes = this.#readTrack(track, share, records, bytesLeft)
      bytesLeft -= bytes
    }
    this.#turn = count === 0 ? 0 : (this.#turn + 1) % count
    this.#waitingSinceMs = this.behind() > 0 ? this.#clock.nowMs() : null
    return records
  }

  #readTrack(track: Track, share: number, into: LogRecord[], bytesLeft: number): number {
    const start = this.#store.start(track.topic, track.partition)
    if (track.next < start) throw outOfRange(track, start)
    const slice = this.#store.read(track.topic, track.partition, track.next, share)
    let bytes = 0
    for (const record of slice.records) {
      const size = recordBytes(record)
      if (into.length > 0 && bytes + size > bytesLeft) return bytes
      into.push(record)
      track.next = record.offset + 1
      bytes += size
    }
    track.next = Math.max(track.next, slice.next)
    return bytes
  }

  #lag(track: Track): number {
    return Math.max(0, this.#store.end(track.topic, track.partition) - track.next)
  }
}

export function recordBytes(record: Pick<LogRecord, 'key' | 'value'>): number {
  return (record.key?.length ?? 0) + (record.value?.length ?? 0)
}

function outOfRange(track: Track, start: number): ServiceError {
  return new ServiceError(
    'OFFSET_OUT_OF_RANGE',
    `offset ${track.next} of ${track.topic}[${track.partition}] is no longer kept, the oldest is ` +
      `${start}: raise the topic's retention, or start from a newer checkpoint`,
  )
}
