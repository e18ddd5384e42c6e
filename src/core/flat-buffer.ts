/** One FlatBuffers message, read field by field: the metadata of Arrow's records. */

/** Reading beyond its end throws a RangeError, as all of DataView does. */
export class FlatBuffer {
  protected readonly view: DataView

  constructor(bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  indirect(at: number): number {
    return at + this.view.getUint32(at, true)
  }

  uint8(table: number, slot: number): number {
    const at = this.field(table, slot)
    return at === 0 ? 0 : this.view.getUint8(at)
  }

  /** Two bytes, 0 where the field or its table is absent. */
  int16(table: number, slot: number): number {
    const at = table === 0 ? 0 : this.field(table, slot)
    return at === 0 ? 0 : this.view.getInt16(at, true)
  }

  /** Four bytes, 0 where it is absent. */
  int32(table: number, slot: number): number {
    const at = this.field(table, slot)
    return at === 0 ? 0 : this.view.getInt32(at, true)
  }

  int64(table: number, slot: number): number {
    const at = this.field(table, slot)
    return at === 0 ? 0 : this.int64At(at)
  }

  /** Without a BigInt: what does not fit is too long for any record, or negative. */
  int64At(at: number): number {
    return this.view.getUint32(at, true) + this.view.getInt32(at + 4, true) * 4_294_967_296
  }

  /** 0 where it is absent. */
  table(table: number, slot: number): number {
    const at = this.field(table, slot)
    return at === 0 ? 0 : this.indirect(at)
  }

  /** Where the elements of a vector begin, and how many it says it has. */
  elements(table: number, slot: number): { readonly start: number; readonly count: number } {
    const at = this.table(table, slot)
    return at === 0
      ? { start: 0, count: 0 }
      : { start: at + 4, count: this.view.getUint32(at, true) }
  }

  /** Of a text, or another vector of bytes, which begins with its length. */
  bytes(at: number): Uint8Array {
    const length = this.view.getUint32(at, true)
    if (at + 4 + length > this.view.byteLength) throw new RangeError('a text is cut off')
    return new Uint8Array(this.view.buffer, this.view.byteOffset + at + 4, length)
  }

  /** Where a field of a table lies; 0 where it is absent. */
  field(table: number, slot: number): number {
    const lookup = table - this.view.getInt32(table, true)
    const at = 4 + 2 * slot
    if (at >= this.view.getUint16(lookup, true)) return 0
    const offset = this.view.getUint16(lookup + at, true)
    return offset === 0 ? 0 : table + offset
  }
}
