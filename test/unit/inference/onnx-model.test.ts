import { expect, it } from 'vitest';
import { Network, writeSafetensors } from '../../../native/index.js';
import { decodeOnnxModel } from '../../../proto/index.js';
import { loadOnnx } from '../../../services/inference/onnx/load-onnx.js';
import { seedOnnx } from '../../bench/seed-onnx.js';
import { bytesOf, floatsOf, node, onnxModel, tensor, value } from '../../support/onnx-models.js';

const rows = 100;
const pixels = Float32Array.from({ length: rows * 784 }, (_, index) => (index % 17) / 17);

/** The engine's own network with the weights of the model. */
function seedNetwork(): Network {
  const { initializer } = decodeOnnxModel(seedOnnx()).graph!;
  const tensors = initializer.map(({ name, dims, rawData }) => {
    const [, kind, layer] = /^([a-z]+)(\d)$/.exec(name)!;
    const data = new Float32Array(Uint8Array.from(rawData).buffer);
    return [`layers.${layer}.${kind}`, { shape: dims, data }] as const;
  });
  const layers = (['relu', 'relu', 'softmax'] as const).map((activation, layer) => {
    return { type: 'dense' as const, units: [128, 128, 10][layer]!, activation };
  });
  return Network.fromSafetensors({ inputs: 784, layers }, writeSafetensors(new Map(tensors), {}));
}

it('answers with the bits of a network of the same weights, wherever the input begins', async () => {
  const executable = loadOnnx(seedOnnx());
  const expected = seedNetwork().predict(pixels, rows);
  const moved = new Uint8Array(pixels.byteLength + 1);
  moved.set(new Uint8Array(pixels.buffer), 1);
  for (const input of [new Uint8Array(pixels.buffer), moved.subarray(1)]) {
    expect(executable.execute([input], rows)).toEqual([new Uint8Array(expected.buffer)]);
    expect(await executable.executeAsync([input], rows)).toEqual([new Uint8Array(expected.buffer)]);
  }
});

it('says what it takes and gives', () => {
  expect(loadOnnx(seedOnnx())).toMatchObject({
    platform: 'onnx_onnxv1',
    inputs: [{ name: 'input', datatype: 'FP32', shape: [784] }],
    outputs: [{ name: 'output', datatype: 'FP32', shape: [10] }],
    rowWork: 784 * 128 + 128 * 128 + 128 * 10 + 10,
  });
});

it('computes a graph of several inputs and outputs of several datatypes', () => {
  const executable = loadOnnx(
    onnxModel({
      nodes: [
        node('Mul', ['left', 'ten'], 'scaled'),
        node('Concat', ['scaled', 'right'], 'both', { axis: 1n }),
        node('Cast', ['both'], 'whole', { to: 7n }),
        node('Concat', ['text', 'text'], 'twice', { axis: -1n }),
      ],
      initializers: [tensor('ten', [], [10])],
      inputs: [value('left', 'FP32', ['N', 2]), value('text', 'BYTES', ['N', 1]), value('right', 'FP32', ['N', 3])],
      outputs: [value('whole', 'INT64', ['N', 5]), value('twice', 'BYTES', ['N', 2]), value('both', 'FP32', ['N', 5])],
    }),
  );
  const texts = Uint8Array.of(1, 0, 0, 0, 65, 2, 0, 0, 0, 66, 67);
  const inputs = [bytesOf([1, 2.5, 3, 4]), texts, bytesOf([5, 6, 7, 8, 9, -10.9])];
  const [whole, twice, both] = executable.execute(inputs, 2);
  expect([...new BigInt64Array(Uint8Array.from(whole!).buffer)]).toEqual(
    [10, 25, 5, 6, 7, 30, 40, 8, 9, -10].map(BigInt),
  );
  expect(Buffer.from(twice!).toString('latin1')).toBe('\x01\0\0\0A\x01\0\0\0A\x02\0\0\0BC\x02\0\0\0BC');
  expect(floatsOf(both!)).toEqual([10, 25, 5, 6, 7, 30, 40, 8, 9, -10.9].map(Math.fround));
});
