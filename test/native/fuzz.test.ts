import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  EngineError,
  type Examples,
  Network,
  type NetworkSpec,
  readSafetensors,
  type Tensor,
  type TrainerOptions,
  writeSafetensors,
} from '../../native/index.js';
import { fuzzRuns, mutated, mutatedBytes, wrongValue } from '../support/mutations.js';
import { adam, epochOptions, examplesOf, specOf, trainerOf } from './build-network.js';

const parameters = { numRuns: fuzzRuns };
const timeout = 60_000 + fuzzRuns * 50;

/** Refused in the one way allowed: any other error is the test's failure. */
function refuseOrThrow(error: unknown): null {
  if (error instanceof EngineError && error.code === 'INVALID_ARGUMENT' && error.message.length < 1000) return null;
  throw error;
}

/** The value, or null where it was refused. */
function acceptedOrRefused<Value>(call: () => Value): Value | null {
  try {
    return call();
  } catch (error) {
    return refuseOrThrow(error);
  }
}

function safetensors(header: string, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

describe('readSafetensors', { timeout }, () => {
  const read = (bytes: Uint8Array) => {
    const file = acceptedOrRefused(() => readSafetensors(bytes));
    if (file === null) return;
    for (const { shape, data } of file.tensors.values()) {
      expect(data).toBeInstanceOf(Float32Array);
      expect(data.length).toBe(shape.reduce((product, length) => product * length, 1));
    }
    expect(Object.values(file.metadata).every((value) => typeof value === 'string')).toBe(true);
  };
  const tensors = new Map<string, Tensor>([
    ['a', { shape: [2, 1], data: Float32Array.of(1, 2) }],
    ['b', { shape: [], data: Float32Array.of(3) }],
  ]);
  const valid = writeSafetensors(tensors, { format: 'x' });

  test('refuses any bytes, or reads them', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), read), parameters);
    fc.assert(
      fc.property(wrongValue, (value) => read(value as never)),
      parameters,
    );
  });

  test('refuses any JSON, or reads it', () => {
    const header = fc.json({ maxDepth: 4 });
    fc.assert(
      fc.property(header, fc.uint8Array(), (text, data) => read(safetensors(text, data))),
      parameters,
    );
  });

  test('refuses a changed file, or reads it', () => {
    fc.assert(fc.property(mutatedBytes(valid), read), parameters);
  });

  test('refuses a changed header, or reads it', () => {
    const { length } = new TextDecoder().decode(valid.subarray(8)).split('}}')[0]!;
    const description = JSON.parse(new TextDecoder().decode(valid.subarray(8, 8 + length + 2))) as object;
    const data = valid.subarray(valid.length - 12);
    fc.assert(
      fc.property(mutated(description), (header) => {
        const text = acceptedOrRefused(() =>
          JSON.stringify(header, (_, value) => (typeof value === 'bigint' ? 1 : value)),
        );
        read(safetensors(text ?? '', data));
      }),
      parameters,
    );
  });

  test.each<[string, string]>([
    ['nested arrays', `{"a":{"dtype":${'['.repeat(1e5)}${']'.repeat(1e5)}}}`],
    ['nested objects', `{"a":{"dtype":"F32","shape":${'{"a":'.repeat(2e4)}1${'}'.repeat(2e4)}}}`],
    ['a long name', `{"${'a'.repeat(2e7)}":1}`],
    ['a long name of escapes', `{"${'\\n'.repeat(1e7)}":1}`],
    ['a long text', `{"a":{"dtype":"${'a'.repeat(2e7)}"}}`],
    ['a long shape', `{"a":{"dtype":"F32","shape":[${'1,'.repeat(1e6)}1]}}`],
  ])('refuses a header with %s that go on and on', (_, header) => {
    expect(acceptedOrRefused(() => readSafetensors(safetensors(header)))).toBeNull();
  });

  test('reads whatever was written', () => {
    const tensor = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true })).map((numbers) => ({
      shape: [numbers.length],
      data: Float32Array.from(numbers),
    }));
    const name = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', '0', '10', '2'));
    const metadata = fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(name, tensor)), metadata, (entries, metadata) => {
        const written = new Map(entries);
        written.delete('__metadata__');
        const file = readSafetensors(writeSafetensors(written, metadata));
        expect(new Map([...file.tensors].sort())).toEqual(new Map([...written].sort()));
        expect(file.metadata).toEqual(metadata);
      }),
      parameters,
    );
  });
});

describe('a network', { timeout }, () => {
  const valid: NetworkSpec = specOf(3, '5 relu', '4 tanh heNormal', '2 softmax');

  const make = (spec: unknown, seed: unknown) => {
    const network = acceptedOrRefused(() => Network.create(spec as NetworkSpec, seed as number));
    if (network === null) return;
    const answers = network.predict(new Float32Array(2 * network.inputs), 2);
    expect(answers.length).toBe(2 * network.outputs);
    network.dispose();
  };

  test('refuses any value as its spec', () => {
    fc.assert(fc.property(wrongValue, wrongValue, make), parameters);
  });

  const layered: NetworkSpec = {
    inputs: 3,
    layers: [
      { type: 'embedding', tables: [{ column: 1, categories: 4, units: 2 }], initializer: 'heNormal' },
      { type: 'dense', units: 5, activation: 'gelu', useBias: false, kernelInitializer: 'orthogonal' },
      { type: 'batchNormalization', momentum: 0.9, epsilon: 0.01 },
      { type: 'activation', activation: 'leakyRelu', negativeSlope: 0.1 },
      {
        type: 'residual',
        layers: [
          { type: 'layerNormalization', epsilon: 0.01 },
          { type: 'prelu', alphaInitializer: { type: 'constant', value: 0.25 } },
          { type: 'dropout', rate: 0.5 },
          { type: 'residual', layers: [{ type: 'dense', units: 5, biasInitializer: { type: 'uniform', limit: 1 } }] },
        ],
      },
      { type: 'dense', units: 2, activation: 'logSoftmax' },
    ],
  };

  test.each([valid, layered])('refuses a changed spec, or works: %#', (spec) => {
    fc.assert(
      fc.property(mutated(spec), (changed) => make(changed, 1)),
      parameters,
    );
  });

  test('refuses layers without end', () => {
    const endless: NetworkSpec['layers'] = [{ type: 'dense', units: 3 }];
    endless.push({ type: 'residual', layers: endless });
    let wide: NetworkSpec['layers'] = [{ type: 'dense', units: 3 }];
    for (let depth = 0; depth < 8; depth += 1) {
      wide = Array.from({ length: 50 }, () => ({ type: 'residual', layers: wide }));
    }
    const long: NetworkSpec['layers'] = new Array(1e6).fill({ type: 'dense', units: 3 });
    for (const layers of [endless, wide, long]) {
      expect(acceptedOrRefused(() => Network.create({ inputs: 3, layers }, 1))).toBeNull();
    }
  });

  test('refuses a changed file, or loads it', () => {
    const network = Network.create(valid, 1);
    const load = (bytes: Uint8Array) => acceptedOrRefused(() => Network.fromSafetensors(valid, bytes))?.dispose();
    fc.assert(fc.property(mutatedBytes(network.toSafetensors({ a: 'b' })), load), parameters);
  });

  test('refuses a long text in few words', () => {
    const layer = { ...valid.layers[0]!, activation: 'ä'.repeat(1e6) as never };
    expect(acceptedOrRefused(() => Network.create({ ...valid, layers: [layer] }, 1))).toBeNull();
  });

  test('refuses any input', () => {
    const network = Network.create(valid, 1);
    const predict = (input: unknown, rows: unknown) => {
      acceptedOrRefused(() => network.predict(input as Float32Array, rows as number));
    };
    fc.assert(fc.property(wrongValue, wrongValue, predict), parameters);
    fc.assert(
      fc.property(wrongValue, (rows) => predict(new Float32Array(3), rows)),
      parameters,
    );
  });
});

describe('a trainer', { timeout }, () => {
  const spec = specOf(3, '5 relu', '2 softmax');
  const data = examplesOf(12, 3, 2);

  const options: TrainerOptions[] = [
    {
      loss: 'categoricalCrossEntropy',
      optimizer: adam,
      batchSize: 5,
      seed: 1,
      threads: 1,
      sampling: { type: 'weighted', weights: new Float32Array(12).fill(1) },
    },
    { loss: 'categoricalCrossEntropy', optimizer: adam, batchSize: 5, seed: 1, threads: 1 },
    {
      loss: { type: 'categoricalCrossEntropy', labelSmoothing: 0.1, classWeights: [1, 2] },
      optimizer: { type: 'sgd', learningRate: 0.1, momentum: 0.5, nesterov: true },
      batchSize: 'full',
      seed: 1,
      threads: 1,
    },
  ];

  test.each(options)('refuses changed options, or is made: %#', (valid) => {
    const network = Network.create(spec, 1);
    const make = (changed: TrainerOptions) => acceptedOrRefused(() => trainerOf(network, changed))?.dispose();
    fc.assert(fc.property(mutated(valid), make), parameters);
    fc.assert(
      fc.property(wrongValue, (value) => make(value as TrainerOptions)),
      parameters,
    );
  });

  test('refuses changed examples, or trains', async () => {
    const trainer = trainerOf(Network.create(spec, 1), { sampling: { type: 'stratified' } });
    const valid: Examples = { ...data, weights: new Float32Array(12).fill(1) };
    const blocks: Examples = {
      ...valid,
      features: [
        { type: 'uint8', columns: 1, data: new Uint8Array(12), scale: 1 / 255, offset: -0.5 },
        { type: 'float16', columns: 1, data: new Uint16Array(12) },
        { type: 'int32', columns: 1, data: new Int32Array(12), scale: 0.5 },
      ],
    };
    const changed = fc.oneof(mutated(valid), mutated(blocks), wrongValue as fc.Arbitrary<Examples>);
    await fc.assert(
      fc.asyncProperty(changed, fc.oneof(fc.constant(0), wrongValue), async (examples, epoch) => {
        for (const call of [
          () => trainer.trainEpoch(examples, { ...epochOptions(), epoch: epoch as number }),
          () => trainer.evaluate(examples),
          () => trainer.gradients(examples),
        ]) {
          // A scale of 1e38 is a number, and no number is what comes of it.
          await call().catch((error: unknown) => {
            if (!(error instanceof EngineError && error.code === 'DIVERGED')) refuseOrThrow(error);
          });
        }
      }),
      parameters,
    );
  });

  test('refuses a changed checkpoint and keeps its own, or goes on from it', () => {
    const trainer = trainerOf(Network.create(spec, 1));
    let state = trainer.saveState();
    const before = state;
    fc.assert(
      fc.property(mutatedBytes(before), (bytes) => {
        const taken = acceptedOrRefused(() => {
          trainer.loadState(bytes);
          return true;
        });
        if (taken) state = trainer.saveState();
        else expect(trainer.saveState()).toEqual(state);
      }),
      parameters,
    );
  });
});
