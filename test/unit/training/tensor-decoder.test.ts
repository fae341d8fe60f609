import {
  Field,
  FixedSizeList,
  Float32,
  Int32,
  Message,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  Uint8,
} from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { TensorDecoder, type TensorShape } from '../../../services/training/tensor-decoder.js';

const shape: TensorShape = { rows: 5, featureCount: 2, featureType: 'uint8', targetType: 'int32' };

/** Messages of a table in batches of the given rows, as they stand in FlightData: header and body apart. */
function messagesOf(
  batches: [features: Uint8Array | Float32Array, labels: Int32Array | Float32Array][],
  swapped = false,
) {
  const [sample, sampleLabels] = batches[0]!;
  const value = sample instanceof Uint8Array ? new Uint8() : new Float32();
  const list = new FixedSizeList(2, new Field('item', value));
  const label = sampleLabels instanceof Int32Array ? new Int32() : new Float32();
  const fields = [new Field('features', list), new Field('label', label)];
  const schema = new Schema(swapped ? fields.reverse() : fields);
  const writer = RecordBatchStreamWriter.writeAll(
    batches.map(([features, labels]) => {
      const length = labels.length;
      const child = makeData({ type: value, data: features } as Parameters<typeof makeData>[0]);
      const columns = [
        makeData({ type: list, length, nullCount: 0, child } as Parameters<typeof makeData>[0]),
        makeData({ type: label, data: labels } as Parameters<typeof makeData>[0]),
      ];
      const children = swapped ? columns.reverse() : columns;
      return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length, children }));
    }),
  );
  return splitStream(writer.toUint8Array(true));
}

/** Takes an IPC stream apart: continuation, length, header, body, and so on. */
function splitStream(stream: Uint8Array): [Uint8Array, Uint8Array][] {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  const messages: [Uint8Array, Uint8Array][] = [];
  for (let at = 0; at + 8 <= stream.length; ) {
    const length = view.getInt32(at + 4, true);
    if (length === 0) {
      break;
    }
    const header = stream.subarray(at + 8, at + 8 + length);
    const bodyLength = Message.decode(header).bodyLength;
    at += 8 + length;
    // Off by one, as gRPC may deliver it: nothing may rely on the alignment of the body.
    const body = new Uint8Array(bodyLength + 1).subarray(1);
    body.set(stream.subarray(at, at + bodyLength));
    messages.push([header, body]);
    at += bodyLength;
  }
  return messages;
}

function decode(messages: [Uint8Array, Uint8Array][], expected = shape) {
  const decoder = new TensorDecoder(expected);
  for (const [header, body] of messages) {
    decoder.push(header, body);
  }
  return decoder.finish();
}

const first: [Uint8Array, Int32Array] = [Uint8Array.of(1, 2, 3, 4, 5, 6), Int32Array.of(7, 8, 9)];
const second: [Uint8Array, Int32Array] = [Uint8Array.of(10, 20, 30, 255), Int32Array.of(-1, 0)];

describe('TensorDecoder', () => {
  it('refuses bytes that are no Arrow message', () => {
    const decoder = new TensorDecoder(shape);
    expect(() => decoder.push(Uint8Array.of(1, 2, 3), Uint8Array.of())).toThrow(/an Arrow message|another kind/);
  });

  it('refuses a batch before its schema', () => {
    expect(() => decode(messagesOf([first]).slice(1))).toThrow('a schema first');
  });

  it('refuses columns of another type', () => {
    const wrong = { ...shape, targetType: 'float32' as const };
    expect(() => decode(messagesOf([first, second]), wrong)).toThrow(
      'the columns features FixedSizeList[2]<Uint8> and label Float32 but received features FixedSizeList[2]<Uint8>, label Int32',
    );
    expect(() => decode(messagesOf([first, second]), { ...shape, featureCount: 3 })).toThrow('FixedSizeList[3]');
  });

  it('refuses too few rows and too many', () => {
    expect(() => decode(messagesOf([first]))).toThrow('5 rows but received 3');
    expect(() => decode(messagesOf([first, first]))).toThrow('5 rows but received more');
  });

  it('refuses a body that is cut short', () => {
    const messages = messagesOf([first, second]);
    messages[1]![1] = messages[1]![1].subarray(0, 4);
    expect(() => decode(messages)).toThrow('a buffer of 6 bytes');
  });

  it('puts batches one after the other', () => {
    expect(decode(messagesOf([first, second]))).toEqual({
      rows: 5,
      features: Uint8Array.of(1, 2, 3, 4, 5, 6, 10, 20, 30, 255),
      targets: Int32Array.of(7, 8, 9, -1, 0),
    });
  });

  it('takes the columns in any order', () => {
    expect(decode(messagesOf([first, second], true)).targets).toEqual(Int32Array.of(7, 8, 9, -1, 0));
  });

  it('keeps every bit of float32', () => {
    const features = Float32Array.of(0.1, -0, 1e-45, 3.4e38);
    const targets = Float32Array.of(1, 0);
    const floats = { rows: 2, featureCount: 2, featureType: 'float32', targetType: 'float32' } as const;
    expect(decode(messagesOf([[features, targets]]), floats)).toEqual({ rows: 2, features, targets });
  });
});
