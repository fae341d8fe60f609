import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contracts } from '../../../proto/index.js';

const { definition, serverDefinition } = contracts.inference;
const byReflection = definition.ModelInfer!;
const byHand = serverDefinition.ModelInfer!;
const stream = definition.ModelStreamInfer!;
const streamByHand = serverDefinition.ModelStreamInfer!;

const name = fc.string({ maxLength: 12, unit: 'grapheme' });
const parameter = fc.oneof(
  fc.boolean().map((boolParam) => ({ boolParam })),
  fc.maxSafeInteger().map((int64Param) => ({ int64Param })),
  fc.string().map((stringParam) => ({ stringParam })),
  fc.double({ noNaN: true }).map((doubleParam) => ({ doubleParam })),
  fc.nat().map((uint64Param) => ({ uint64Param })),
);
const parameters = fc.dictionary(
  name.filter((key) => key !== '__proto__'),
  parameter,
  { maxKeys: 3 },
);
const shape = fc.array(fc.maxSafeInteger(), { maxLength: 4 });
const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
const list = <T>(element: fc.Arbitrary<T>) => fc.array(element, { maxLength: 5 });
const contents = fc.record({
  boolContents: list(fc.boolean()),
  intContents: list(fc.integer()),
  uintContents: list(fc.nat()),
  fp32Contents: list(fc.float({ noNaN: true })),
  fp64Contents: list(fc.double({ noNaN: true })),
  bytesContents: list(bytes),
});
const request = fc.record({
  modelName: name,
  modelVersion: name,
  id: name,
  parameters,
  inputs: list(fc.record({ name, datatype: name, shape, parameters, contents: fc.option(contents) })),
  outputs: list(fc.record({ name, parameters })),
  rawInputContents: list(bytes),
});
const output = fc.record({ name, datatype: name, shape: list(fc.maxSafeInteger().map(Math.abs)), parameters });
const response = fc.record({
  modelName: name,
  modelVersion: name,
  id: name,
  parameters,
  outputs: list(output),
  rawOutputContents: list(bytes),
});

/** A message as a server's serialiser writes it. */
function written(method: typeof byHand, message: unknown): Buffer {
  const { pieces, byteLength } = method.responseSerialize(message) as unknown as {
    pieces: Uint8Array[];
    byteLength: number;
  };
  const bytes = Buffer.concat(pieces);
  expect(bytes).toHaveLength(byteLength);
  return bytes;
}

describe('reading a ModelInferRequest by hand', () => {
  it('gives what reading by reflection gives', () => {
    fc.assert(
      fc.property(request, (message) => {
        const wire = byReflection.requestSerialize(message);
        expect(byHand.requestDeserialize(wire)).toEqual(byReflection.requestDeserialize(wire));
      }),
    );
  });

  it('keeps integers of 64 bits exact', () => {
    const message = {
      inputs: [{ contents: { int64Contents: ['-9223372036854775808'], uint64Contents: ['18446744073709551615'] } }],
    };
    const read = byHand.requestDeserialize(byReflection.requestSerialize(message)) as {
      inputs: { contents: { int64Contents: bigint[]; uint64Contents: bigint[] } }[];
    };
    expect(read.inputs[0]!.contents.int64Contents).toEqual([-(2n ** 63n)]);
    expect(read.inputs[0]!.contents.uint64Contents).toEqual([2n ** 64n - 1n]);
  });

  it('refuses a message that is cut anywhere within a field, as reflection does', () => {
    const whole = byReflection.requestSerialize({
      modelName: 'model',
      inputs: [{ name: 'input', shape: [1, 300], contents: { fp32Contents: [1, 2] } }],
      rawInputContents: [Buffer.alloc(5)],
    });
    const outcome = (read: (wire: Buffer) => unknown, wire: Buffer) => {
      try {
        return read(wire);
      } catch {
        return 'refused';
      }
    };
    for (let length = 0; length < whole.length; length++) {
      const cut = whole.subarray(0, length);
      expect(outcome(byHand.requestDeserialize, cut)).toEqual(outcome(byReflection.requestDeserialize, cut));
    }
  });

  it('throws, or answers, for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (random) => {
        try {
          byHand.requestDeserialize(Buffer.from(random));
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('takes a parameter named __proto__ for a parameter', () => {
    const entry = Buffer.from('0a095f5f70726f746f5f5f12020801', 'hex');
    const wire = Buffer.concat([Buffer.from([0x22, entry.length]), entry]);
    const { parameters: read } = byHand.requestDeserialize(wire) as { parameters: object };
    expect(Object.keys(read)).toEqual(['__proto__']);
  });
});

describe('writing by hand', () => {
  it('reads back as what was written to ModelInferResponse', () => {
    fc.assert(
      fc.property(response, (message) => {
        const expected = byReflection.responseDeserialize(byReflection.responseSerialize(message));
        expect(byReflection.responseDeserialize(written(byHand, message))).toEqual(expected);
      }),
    );
  });

  it('reads back as what was written to ModelStreamInferResponse', () => {
    const either = fc.oneof(
      response.map((inferResponse) => ({ inferResponse })),
      name.map((errorMessage) => ({ errorMessage })),
    );
    fc.assert(
      fc.property(either, (message) => {
        const expected = stream.responseDeserialize(stream.responseSerialize(message));
        expect(stream.responseDeserialize(written(streamByHand, message))).toEqual(expected);
      }),
    );
  });
});
