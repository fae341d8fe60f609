import type { Datatype } from './tensor.js';

/** The elements of a tensor of numbers; integers of 64 bits as `bigint`. BYTES has none. */
export function readNumbers(bytes: Uint8Array, datatype: Datatype): (number | bigint)[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [size, read] = readers[datatype as keyof typeof readers];
  return Array.from({ length: bytes.length / size }, (_, i) => read(view, i * size));
}

type Read = (view: DataView, offset: number) => number | bigint;

const readers: Record<Exclude<Datatype, 'BYTES'>, [size: number, read: Read]> = {
  BOOL: [1, (view, offset) => view.getUint8(offset)],
  UINT8: [1, (view, offset) => view.getUint8(offset)],
  UINT16: [2, (view, offset) => view.getUint16(offset, true)],
  UINT32: [4, (view, offset) => view.getUint32(offset, true)],
  UINT64: [8, (view, offset) => view.getBigUint64(offset, true)],
  INT8: [1, (view, offset) => view.getInt8(offset)],
  INT16: [2, (view, offset) => view.getInt16(offset, true)],
  INT32: [4, (view, offset) => view.getInt32(offset, true)],
  INT64: [8, (view, offset) => view.getBigInt64(offset, true)],
  FP16: [2, (view, offset) => halfToNumber(view.getUint16(offset, true))],
  BF16: [2, (view, offset) => bfloatToNumber(view.getUint16(offset, true))],
  FP32: [4, (view, offset) => view.getFloat32(offset, true)],
  FP64: [8, (view, offset) => view.getFloat64(offset, true)],
};

/** IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) {
    return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  }
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** bfloat16: the upper half of a binary32. */
function bfloatToNumber(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits * 0x10000);
  return view.getFloat32(0);
}
