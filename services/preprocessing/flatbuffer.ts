/** Bytes that are no flatbuffer of the form expected. */
export class FlatbufferError extends Error {
  override readonly name = 'FlatbufferError';
}

/**
 * Reads a flatbuffer that a stranger wrote. Every offset is checked against the bytes before it is followed; the official
 * JavaScript reader does not, and a single wrong length makes it build billions of objects.
 */
export class FlatTable {
  readonly #vtable: number;
  readonly #vtableSize: number;

  private constructor(
    private readonly view: DataView,
    private readonly position: number,
  ) {
    this.#vtable = position - this.#int32(position);
    this.#vtableSize = this.#uint16(this.#vtable);
  }

  static root(bytes: Uint8Array): FlatTable {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.byteLength < 8) {
      throw new FlatbufferError(`${bytes.byteLength} bytes are too few`);
    }
    return new FlatTable(view, view.getUint32(0, true));
  }

  #check(at: number, size: number): number {
    if (!Number.isSafeInteger(at) || at < 0 || at + size > this.view.byteLength) {
      throw new FlatbufferError(`an offset points to byte ${at} of ${this.view.byteLength}`);
    }
    return at;
  }

  #int32 = (at: number) => this.view.getInt32(this.#check(at, 4), true);
  #uint16 = (at: number) => this.view.getUint16(this.#check(at, 2), true);

  #int64(at: number): number {
    const value = Number(this.view.getBigInt64(this.#check(at, 8), true));
    if (!Number.isSafeInteger(value)) {
      throw new FlatbufferError(`the number ${value} is out of range`);
    }
    return value;
  }

  /** Place of a field, or null when it is left out. */
  #field(index: number): number | null {
    const slot = 4 + 2 * index;
    const offset = slot + 2 <= this.#vtableSize ? this.#uint16(this.#vtable + slot) : 0;
    return offset === 0 ? null : this.position + offset;
  }

  #reference(index: number): number | null {
    const at = this.#field(index);
    return at === null ? null : at + this.view.getUint32(this.#check(at, 4), true);
  }

  byte(index: number): number {
    const at = this.#field(index);
    return at === null ? 0 : this.view.getUint8(this.#check(at, 1));
  }

  /** `absent`: what a field that is left out stands for. */
  int16(index: number, absent = 0): number {
    const at = this.#field(index);
    return at === null ? absent : this.view.getInt16(this.#check(at, 2), true);
  }

  int32(index: number, absent = 0): number {
    const at = this.#field(index);
    return at === null ? absent : this.#int32(at);
  }

  int64(index: number): number {
    const at = this.#field(index);
    return at === null ? 0 : this.#int64(at);
  }

  table(index: number): FlatTable | null {
    const at = this.#reference(index);
    return at === null ? null : new FlatTable(this.view, at);
  }

  text(index: number): string {
    const vector = this.#vector(index, 1);
    if (!vector) {
      return '';
    }
    const bytes = new Uint8Array(this.view.buffer, this.view.byteOffset + vector.start, vector.length);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (error) {
      throw new FlatbufferError('a name is not UTF-8', { cause: error });
    }
  }

  /** Where a vector of tables begins, and how many it has. */
  vector(index: number): { start: number; length: number } | null {
    return this.#vector(index, 4);
  }

  #vector(index: number, itemBytes: number): { start: number; length: number } | null {
    const at = this.#reference(index);
    if (at === null) {
      return null;
    }
    const length = this.view.getUint32(this.#check(at, 4), true);
    this.#check(at + 4, length * itemBytes);
    return { start: at + 4, length };
  }

  *tables(index: number, lengthMax: number): Generator<FlatTable> {
    const vector = this.#vector(index, 4);
    if (vector && vector.length > lengthMax) {
      throw new FlatbufferError(`a list has ${vector.length} entries, more than ${lengthMax}`);
    }
    for (let i = 0; i < (vector?.length ?? 0); i++) {
      const at = vector!.start + 4 * i;
      yield new FlatTable(this.view, at + this.view.getUint32(at, true));
    }
  }

  /** A vector of structs of two 64-bit integers, as Arrow's field nodes and buffers are. */
  pairs(index: number): [number, number][] {
    const vector = this.#vector(index, 16);
    return Array.from({ length: vector?.length ?? 0 }, (_, i) => {
      const at = vector!.start + 16 * i;
      return [this.#int64(at), this.#int64(at + 8)];
    });
  }
}
