import { describe, expect, it } from 'vitest';
import { TensorDecoder, type TensorShape } from '../../../services/training/tensor-decoder.js';
import { type ArrowMessage, type TensorRows, tensorMessages } from '../../support/arrow-messages.js';

const shape: TensorShape = {
  ...{ rows: 5, featureCount: 2, featureType: 'uint8', targetType: 'int32', targetWidth: null, hasWeights: false },
};

/** As gRPC may deliver them: nothing may rely on the alignment of a body. */
function messagesOf(batches: TensorRows[], labelFirst = false): ArrowMessage[] {
  return tensorMessages(batches, { featureCount: 2, labelFirst }).map(({ header, body }) => {
    const shifted = new Uint8Array(body.length + 1).subarray(1);
    shifted.set(body);
    return { header, body: shifted };
  });
}

function decode(messages: ArrowMessage[], expected = shape) {
  const decoder = new TensorDecoder(expected);
  for (const { header, body } of messages) {
    decoder.push(header, body);
  }
  return decoder.finish();
}

const first: TensorRows = { features: Uint8Array.of(1, 2, 3, 4, 5, 6), labels: Int32Array.of(7, 8, 9) };
const second: TensorRows = { features: Uint8Array.of(10, 20, 30, 255), labels: Int32Array.of(-1, 0) };

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
    messages[1]!.body = messages[1]!.body.subarray(0, 4);
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
    const floats = {
      rows: 2,
      featureCount: 2,
      featureType: 'float32',
      targetType: 'float32',
      targetWidth: null,
      hasWeights: false,
    } as const;
    expect(decode(messagesOf([{ features, labels: targets }]), floats)).toEqual({ rows: 2, features, targets });
  });

  it('takes several targets a row, of a width that must be the one expected', () => {
    const features = Uint8Array.of(1, 2, 3, 4);
    const targets = Float32Array.of(0, 1, 1, 0, 0, 1);
    const messages = tensorMessages([{ features, labels: targets }], {
      featureCount: 2,
      labelFirst: true,
      labelWidth: 3,
    });
    const several: TensorShape = { ...shape, rows: 2, targetType: 'float32', targetWidth: 3 };
    expect(decode(messages, several)).toEqual({ rows: 2, features, targets });
    for (const targetWidth of [2, null]) {
      expect(() => decode(messages, { ...several, targetWidth })).toThrow('label FixedSizeList[3]<Float32>');
    }
  });
});
