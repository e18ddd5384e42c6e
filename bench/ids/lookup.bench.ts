/** Node names, as bytes, to slots: what every record costs before anything else. */
import { alternate, ratioRow } from '../bench.ts'
import { fleetKernel, nodeName } from '../ingest/columns.ts'
import type { Bench, BenchRow } from '../bench.ts'
import type { Kernel } from '../../src/state/kernel.ts'

const ROWS = 1_000

/** Names in a random but fixed order, a thousand to a column, as Arrow lays them out. */
interface NameColumn {
  readonly offsets: Int32Array
  readonly bytes: Uint8Array
}

export const bench: Bench = {
  name: 'node names to slots',
  async run({ quick }): Promise<readonly BenchRow[]> {
    const count = quick ? 100_000 : 1_000_000
    const order = shuffled(count)
    const kernel = fleetKernel(count)
    const map = new Map<string, number>()
    for (const column of columns(Uint32Array.from({ length: count }, (_, node) => node))) {
      resolve(kernel, column)
    }
    for (let node = 0; node < count; node++) map.set(nodeName(node), node)
    const asked = columns(order)
    const found = new Uint32Array(ROWS)
    check(kernel, asked, order)
    const times = await alternate(quick ? 5 : 7, {
      ours: () => asked.forEach((column) => resolve(kernel, column)),
      map: () => asked.forEach((column) => lookUp(map, column, found)),
    })
    const what = `${count.toLocaleString('en')} node names in random order to slots, from UTF-8`
    return [
      ratioRow(what, 'JS Map, name decoded from its bytes', times, {
        ours: 'ours',
        rival: 'map',
        reach: 5,
      }),
    ]
  },
}

function resolve(kernel: Kernel, { offsets, bytes }: NameColumn): void {
  kernel.stage(ROWS)
  const at = kernel.stageText(offsets.byteLength + bytes.length) >>> 0
  new Int32Array(kernel.memory.buffer, at, offsets.length).set(offsets)
  new Uint8Array(kernel.memory.buffer, at + offsets.byteLength, bytes.length).set(bytes)
  kernel.resolve(at, at + offsets.byteLength, bytes.length, ROWS, 0)
}

function lookUp(map: ReadonlyMap<string, number>, column: NameColumn, found: Uint32Array): void {
  const { offsets, bytes } = column
  const names = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let row = 0; row < ROWS; row++) {
    found[row] = map.get(names.toString('latin1', offsets[row], offsets[row + 1])) ?? 0xffff_ffff
  }
}

function check(kernel: Kernel, asked: readonly NameColumn[], order: Uint32Array): void {
  for (const [index, column] of asked.entries()) {
    resolve(kernel, column)
    const at = kernel.stagedNodesPointer() >>> 0
    const slots = new Uint32Array(kernel.memory.buffer, at, ROWS)
    for (let row = 0; row < ROWS; row++) {
      if (slots[row] !== order[index * ROWS + row]) throw new Error('a name has the wrong slot')
    }
  }
}

function columns(nodes: Uint32Array): readonly NameColumn[] {
  return Array.from({ length: nodes.length / ROWS }, (_, index) => {
    const names = Array.from(nodes.subarray(index * ROWS, (index + 1) * ROWS), nodeName)
    const offsets = new Int32Array(ROWS + 1)
    for (const [row, name] of names.entries()) offsets[row + 1] = offsets[row] + name.length
    return { offsets, bytes: Buffer.from(names.join('')) }
  })
}

function shuffled(count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index)
  let seed = 1
  for (let i = count - 1; i > 0; i--) {
    seed = (Math.imul(seed, 0x41c64e6d) + 12_345) >>> 0
    const j = Math.floor((seed / 2 ** 32) * (i + 1))
    ;[order[i], order[j]] = [order[j], order[i]]
  }
  return order
}
