/** Feeds a watcher the records of its node-log, second by second, and keeps what it says. */
import type { LogRecord, Output } from '../../src/core/bus.ts'
import { toBytes } from '../../src/core/bytes.ts'
import { KIND, type NodeLogKind } from '../../src/core/log.ts'
import type { NodeClass } from '../../src/core/node.ts'
import type { WatcherFold } from '../../src/pipeline/watcher.ts'
import { samplesIpc } from './node-class.ts'
import { bytesOf, textOf } from './output.ts'

export class NodeLog {
  readonly records: LogRecord[] = []
  readonly outputs: Output[] = []
  nowMs: number
  readonly #fold: WatcherFold
  readonly #class: NodeClass

  constructor(fold: WatcherFold, nodeClass: NodeClass, startMs: number) {
    this.#fold = fold
    this.#class = nodeClass
    this.nowMs = startMs
  }

  async append(kind: NodeLogKind, value: Uint8Array | object, headers = {}): Promise<void> {
    const record: LogRecord = {
      topic: 'w.node-log',
      partition: 0,
      offset: this.records.length,
      appendedAtMs: this.nowMs,
      key: null,
      value: value instanceof Uint8Array ? value : toBytes(JSON.stringify(value)),
      headers: { [KIND]: kind, ...headers },
    }
    this.records.push(record)
    this.outputs.push(...(await this.#fold.fold(record)))
  }

  /** One sample of each node with one value for the class's first metric, then the owner's tick. */
  async sampled(values: Readonly<Record<string, number>>): Promise<void> {
    const { name, metrics } = this.#class
    const rows = Object.entries(values).map(([node, value]) => ({
      node,
      at: this.nowMs,
      appendedAt: this.nowMs,
      metrics: { [metrics[0].name]: value },
    }))
    await this.append('samples', samplesIpc(this.#class, rows), { class: name })
    await this.append('tick', { source: 0, atMs: 0, step: 0 })
  }

  async minutes(count: number, values: Readonly<Record<string, number>>): Promise<void> {
    for (let minute = 0; minute < count; minute++) {
      this.nowMs += 60_000
      await this.append('watermark', { source: 0, atMs: null, delayMs: 0 })
      await this.sampled(values)
    }
  }

  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the kind says which body it is
  bodies<Body>(kind: string): readonly Body[] {
    return this.outputs
      .filter(({ headers }) => headers?.[KIND] === kind)
      .map(({ value }) => JSON.parse(textOf(value)) as Body)
  }

  /** Outputs as text, so that those of two folds can be compared. */
  static texts(outputs: readonly Output[]): readonly string[] {
    return outputs.map(
      ({ topic, partition, value, headers }) =>
        `${topic} ${partition} ${JSON.stringify(headers)} ${Buffer.from(bytesOf(value) ?? []).toString('base64')}`,
    )
  }
}
