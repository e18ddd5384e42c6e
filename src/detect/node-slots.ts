/**
 * Numbers of many nodes side by side in one array: a pool may have a hundred thousand nodes, and an
 * object for each would be walked by every garbage collection. Beyond the limit nodes are left out.
 */

export class NodeSlots {
  readonly #width: number
  readonly #nodesMax: number
  readonly #slots = new Map<string, number>()
  readonly #free: number[] = []
  #values: Float64Array
  #count = 0
  #leftOutCount = 0

  constructor(width: number, nodesMax: number) {
    this.#width = width
    this.#nodesMax = nodesMax
    this.#values = new Float64Array(width * 64)
  }

  get size(): number {
    return this.#slots.size
  }

  /** Asked for and not given, because there is no room. */
  get leftOutCount(): number {
    return this.#leftOutCount
  }

  /** All numbers; detached by the next `open`. */
  get values(): Float64Array {
    return this.#values
  }

  /** Where in `values` the numbers of this name begin, zeros at first; -1 where there is no room. */
  open(name: string): number {
    let slot = this.#slots.get(name)
    if (slot === undefined) {
      if (this.#slots.size === this.#nodesMax) {
        this.#leftOutCount++
        return -1
      }
      slot = this.#free.pop() ?? this.#count++
      this.#slots.set(name, slot)
      this.#grow(slot)
      this.#values.fill(0, slot * this.#width, (slot + 1) * this.#width)
    }
    return slot * this.#width
  }

  has(name: string): boolean {
    return this.#slots.has(name)
  }

  forget(name: string): void {
    const slot = this.#slots.get(name)
    if (slot === undefined) return
    this.#slots.delete(name)
    this.#free.push(slot)
  }

  #grow(slot: number): void {
    if ((slot + 1) * this.#width <= this.#values.length) return
    const grown = new Float64Array(2 * this.#values.length)
    grown.set(this.#values)
    this.#values = grown
  }
}
