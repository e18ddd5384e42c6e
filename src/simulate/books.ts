/**
 * The books of one pool-log partition: every record of it beside what its coordinator said because of
 * it, in the order of the log. Ids name the record they follow from, so that the books hold whatever
 * the bus delays.
 */
import type { LogRecord } from '../core/bus.ts'
import { toText } from '../core/bytes.ts'
import type { Command, JournalEntry } from '../core/command.ts'

export type Said =
  | { readonly kind: 'command'; readonly serial: number; readonly command: Command }
  | { readonly kind: 'journal'; readonly serial: number; readonly entry: JournalEntry }

/** Takes one record of the pool-log, and what followed from it, in order. */
export type Reader = (record: LogRecord, said: readonly Said[]) => void

export class Books {
  readonly #read: Reader
  #records: LogRecord[] = []
  readonly #said = new Map<number, Said[]>()
  readonly #broken: (what: string) => void
  /** Everything before it has been read; what comes for an earlier record comes too late. */
  #next = 0

  constructor(read: Reader, broken: (what: string) => void) {
    this.#read = read
    this.#broken = broken
  }

  get waitingCount(): number {
    return this.#records.length
  }

  addRecord(record: LogRecord): void {
    this.#records.push(record)
  }

  addCommand(record: LogRecord): Command {
    const command = JSON.parse(toText(record.value!)) as Command
    const [offset, serial] = command.commandId.split('.').slice(-2)
    this.#add(Number(offset), { kind: 'command', serial: Number(serial.slice(1)), command })
    return command
  }

  addJournal(entry: JournalEntry): void {
    const [, offset, serial] = entry.entryId.split('.').map(Number)
    this.#add(offset, { kind: 'journal', serial, entry })
  }

  /** Reads every record before `offset`, which must have been answered. */
  settle(offset: number): void {
    const isDue = (record: LogRecord | undefined): record is LogRecord =>
      record !== undefined && record.offset < offset
    let count = 0
    for (let record = this.#records[0]; isDue(record); record = this.#records[count]) {
      const said = this.#said.get(record.offset) ?? []
      this.#said.delete(record.offset)
      this.#next = record.offset + 1
      this.#read(record, said.length > 1 ? said.sort((a, b) => a.serial - b.serial) : said)
      count++
    }
    this.#records = this.#records.slice(count)
  }

  #add(offset: number, said: Said): void {
    if (offset < this.#next) {
      const what = said.kind === 'command' ? said.command.commandId : said.entry.entryId
      this.#broken(`${said.kind} ${what} was said again after its record was answered`)
    }
    const others = this.#said.get(offset)
    if (others === undefined) this.#said.set(offset, [said])
    else others.push(said)
  }
}
