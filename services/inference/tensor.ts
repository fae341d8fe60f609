/** Bytes of an element; null for BYTES, whose elements are a length in 4 bytes, little-endian, and as many bytes. */
export const elementBytes = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  BF16: 2,
  FP32: 4,
  FP64: 8,
  BYTES: null,
} as const satisfies Record<string, number | null>;

/** The datatypes of the Open Inference Protocol, and BF16 of Triton's. */
export type Datatype = keyof typeof elementBytes;

export const isDatatype = (name: string): name is Datatype => Object.hasOwn(elementBytes, name);

/** A tensor of a model. `shape` is of one row: the batch dimension is not in it. */
export interface TensorSpec {
  name: string;
  datatype: Datatype;
  shape: readonly number[];
}

/** Elements of one row. */
export function rowElements({ shape }: TensorSpec): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Bytes of one row; null where they differ from row to row. */
export function rowBytes(spec: TensorSpec): number | null {
  const bytes = elementBytes[spec.datatype];
  return bytes === null ? null : bytes * rowElements(spec);
}

const lengthBytes = 4;

/**
 * Where each of `count` BYTES elements ends.
 *
 * @returns count + 1 offsets, the first 0; or null when the bytes are not exactly so many elements
 */
export function bytesElementOffsets(bytes: Uint8Array, count: number): number[] | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const offsets = [0];
  let offset = 0;
  for (let i = 0; i < count; i++) {
    if (offset + lengthBytes > bytes.length) {
      return null;
    }
    offset += lengthBytes + view.getUint32(offset, true);
    offsets.push(offset);
  }
  return offset === bytes.length ? offsets : null;
}

/** Elements of a BYTES tensor as they travel. */
export function packBytes(elements: readonly Uint8Array[]): Buffer {
  const packed = Buffer.allocUnsafe(elements.reduce((sum, element) => sum + lengthBytes + element.length, 0));
  let offset = 0;
  for (const element of elements) {
    offset = packed.writeUInt32LE(element.length, offset);
    packed.set(element, offset);
    offset += element.length;
  }
  return packed;
}
