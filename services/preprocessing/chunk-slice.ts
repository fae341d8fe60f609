import { type ColumnChunk, isValid, type Validity } from '../pipeline/index.js';

/** Rows `from` to `to` of a chunk; but for bits, views of its arrays. */
export function sliceChunk(chunk: ColumnChunk, from: number, to: number): ColumnChunk {
  const length = to - from;
  const validity = sliceValidity(chunk.validity, from, to);
  switch (chunk.kind) {
    case 'number': {
      const { width, values } = chunk;
      return { ...chunk, length, validity, values: values.subarray(from * width, to * width) };
    }
    case 'boolean':
      return { ...chunk, length, validity, bits: sliceBits(chunk.bits, from, to) };
    case 'text':
    case 'binary':
      return { ...chunk, length, validity, offsets: chunk.offsets.subarray(from, to + 1) };
    case 'dictionary':
      return { ...chunk, length, validity, indices: chunk.indices.subarray(from, to) };
    case 'time':
      return { ...chunk, length, validity, values: chunk.values.subarray(from, to) };
    case 'opaque':
      return { ...chunk, length, validity, bytes: chunk.bytes.subarray(from * chunk.width, to * chunk.width) };
    case 'null':
      return { ...chunk, length, validity: sliceBits(chunk.validity, from, to) };
    case 'list': {
      const { offsets, width, items } = chunk;
      return offsets
        ? { ...chunk, length, validity, offsets: offsets.subarray(from, to + 1) }
        : { ...chunk, length, validity, items: sliceChunk(items, from * width, to * width) };
    }
    case 'struct':
      return { ...chunk, length, validity, fields: chunk.fields.map((field) => sliceChunk(field, from, to)) };
  }
}

/** Null when nothing is missing any more. */
function sliceValidity(validity: Validity, from: number, to: number): Validity {
  for (let row = from; validity !== null && row < to; row++) {
    if (!isValid(validity, row)) {
      return sliceBits(validity, from, to);
    }
  }
  return null;
}

function sliceBits(bits: Uint8Array, from: number, to: number): Uint8Array {
  const bytes = Math.ceil((to - from) / 8);
  const first = from >> 3;
  const shift = from & 7;
  if (shift === 0) {
    return bits.subarray(first, first + bytes);
  }
  // Beyond the last byte there is nothing, which counts as 0.
  return Uint8Array.from(
    { length: bytes },
    (_, i) => (bits[first + i]! >> shift) | (bits[first + i + 1]! << (8 - shift)),
  );
}
