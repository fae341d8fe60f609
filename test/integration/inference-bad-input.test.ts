import { gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelInferRequest } from '../../proto/gen/inference/ModelInferRequest.js';
import { contracts } from '../../proto/index.js';
import { fuzzRuns, mutatedBytes } from '../support/mutations.js';
import { expectedOutput, inputWidth, modelFiles, publish } from '../support/published-model.js';
import { frame, RawCaller } from '../support/raw-call.js';
import { Serving } from '../support/serving.js';
import { tempFolder } from '../support/temp-folder.js';

const path = '/inference.GRPCInferenceService/ModelInfer';
const model = { seed: 1 };
const MiB = 1024 * 1024;

let serving: Serving;
let caller: RawCaller;

beforeAll(async () => {
  serving = await Serving.start(tempFolder());
  await publish(serving.registry, 'animals', modelFiles(model));
  await serving.serves('animals', '', 1);
  caller = await RawCaller.connect(serving.service.port);
});
afterAll(async () => {
  caller?.close();
  await serving?.stop();
});

const rowOf = (seed: number) => Float32Array.from({ length: inputWidth }, (_, i) => ((i * 7 + seed) % 13) / 13);
const bytesOf = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
const tensor = { name: 'input', datatype: 'FP32', shape: [1, inputWidth] };
const good = (seed: number, more: ModelInferRequest = {}): ModelInferRequest => ({
  modelName: 'animals',
  inputs: [tensor],
  rawInputContents: [bytesOf(rowOf(seed))],
  ...more,
});
const encode = (request: ModelInferRequest): Buffer =>
  contracts.inference.definition.ModelInfer!.requestSerialize(request);
const message = (more: ModelInferRequest = {}) => encode(good(0, more));
const shaped = (...shape: (number | string)[]) => message({ inputs: [{ ...tensor, shape }] });

/** A field of a message: its tag, and a length that need not be that of its bytes. */
const field = (number: number, length: number[], bytes = Buffer.alloc(0)) =>
  Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
/** 8 GB as a varint. */
const eightGigabytes = [0x80, 0x80, 0x80, 0x80, 0x20];

/** gzip of so many zeros, of members of 16 MiB that stand one after another. */
function zeros(bytes: number): Buffer {
  const member = gzipSync(Buffer.alloc(16 * MiB));
  return Buffer.concat(Array.from({ length: bytes / (16 * MiB) }, () => member));
}

/** Good requests, each with a row of its own, that are in the same batches as what `work` sends. */
async function withNeighbours<Result>(work: () => Promise<Result>): Promise<Result> {
  const seeds = Array.from({ length: 16 }, (_, i) => i);
  const before = seeds.slice(0, 8).map((seed) => serving.inference.modelInfer(good(seed)));
  const result = work();
  const after = seeds.slice(8).map((seed) => serving.inference.modelInfer(good(seed)));
  const answers = await Promise.all([...before, ...after]);
  for (const seed of seeds) {
    const output = new Float32Array(Uint8Array.from(answers[seed]!.rawOutputContents[0]!).buffer);
    const wanted = expectedOutput(model, rowOf(seed));
    for (const [i, value] of output.entries()) {
      // Rows computed together may be summed in another order than a row alone.
      expect(value).toBeCloseTo(wanted[i]!, 5);
    }
  }
  return result;
}

const gzip = { 'grpc-encoding': 'gzip' };

describe('ModelInfer refuses with words, and its neighbours in the batch get their answers:', () => {
  it.each<[string, () => Buffer, RegExp]>([
    ['contents that are too short', () => message({ rawInputContents: [Buffer.alloc(60)] }), /64 bytes.*received 60/],
    ['contents that are too long', () => message({ rawInputContents: [Buffer.alloc(68)] }), /64 bytes.*received 68/],
    ['an unknown input', () => message({ inputs: [{ ...tensor, name: 'x' }] }), /"x".*its only input is "input"/],
    ['no input', () => message({ inputs: [], rawInputContents: [] }), /input "input".*missing/],
    [
      'an input twice',
      () => message({ inputs: [tensor, tensor], rawInputContents: [rowOf(0), rowOf(1)].map(bytesOf) }),
      /each input once/,
    ],
    ['an output twice', () => message({ outputs: [{ name: 'output' }, { name: 'output' }] }), /each output once/],
    ['an unknown output', () => message({ outputs: [{ name: 'x' }] }), /"x".*its only output is "output"/],
    ['a negative shape', () => shaped(-1, inputWidth), /\[-1,16\]/],
    ['a shape that is negative twice', () => shaped(-1, -16), /\[-1,-16\]/],
    ['a shape that overflows', () => shaped(String(2n ** 62n), String(2n ** 62n)), /shape/],
    ['a shape that overflows to its true size', () => shaped(String(2n ** 60n + 1n), inputWidth), /at most \d+ rows/],
    ['a shape of 8 GB', () => shaped(2 ** 27, inputWidth), /at most \d+ rows.*134217728/],
    [
      'raw and typed contents',
      () => message({ inputs: [{ ...tensor, contents: { fp32Contents: [...rowOf(0)] } }] }),
      /either.*received both/,
    ],
    ['another datatype', () => message({ inputs: [{ ...tensor, datatype: 'FP64' }] }), /"FP64".*expects FP32/],
    ['an unknown datatype', () => message({ inputs: [{ ...tensor, datatype: 'F' }] }), /datatype "F"/],
    ['a message cut off', () => message().subarray(0, -7), /ModelInferRequest|message/],
    ['a field of 8 GB', () => field(7, eightGigabytes, Buffer.alloc(64)), /ModelInferRequest|message/],
    ['a length of 11 bytes', () => field(7, Array(11).fill(0xff)), /ModelInferRequest|message/],
    ['a wire type that there is not', () => Buffer.from([0x0f, 0, 0, 0]), /ModelInferRequest|message/],
  ])('%s', async (_, bad, words) => {
    const answer = await withNeighbours(() => caller.call(path, frame(bad())));
    expect(answer).toMatchObject({ code: status.INVALID_ARGUMENT, message: expect.stringMatching(words) });
  });

  // For the size of a message gRPC has a code of its own, whatever the service.
  it.each<[string, () => Buffer, Record<string, string>]>([
    ['a frame that declares 4 GB, the most that it can', () => frame(message(), false, 0xffff_ffff), {}],
    ['a message above the limit', () => frame(message({ rawInputContents: [Buffer.alloc(65 * MiB)] })), {}],
    ['1 GB of zeros in 1 MB of gzip', () => frame(zeros(1024 * MiB), true), gzip],
  ])('%s, with RESOURCE_EXHAUSTED', async (_, body, headers) => {
    const answer = await withNeighbours(() => caller.call(path, body(), headers));
    expect(answer).toMatchObject({ code: status.RESOURCE_EXHAUSTED, message: expect.stringMatching(/larger/) });
  });

  it.each<[string, Buffer, Record<string, string>]>([
    ['compressed bytes that are none', frame(message(), true), gzip],
    ['compressed bytes cut off', frame(gzipSync(message()).subarray(0, 40), true), gzip],
    ['an encoding that it does not know', frame(message(), true), { 'grpc-encoding': 'zstd' }],
    ['a frame cut off', frame(message()).subarray(0, 30), {}],
    ['half a frame header', Buffer.from([0, 0]), {}],
    ['no message at all', Buffer.alloc(0), {}],
    ['two messages in a unary call', Buffer.concat([frame(message()), frame(message())]), {}],
  ])('%s, as gRPC has it', async (_, body, headers) => {
    const answer = await withNeighbours(() => caller.call(path, body, headers));
    expect([status.INTERNAL, status.UNIMPLEMENTED, status.INVALID_ARGUMENT]).toContain(answer.code);
    expect(answer.message).not.toBe('');
  });
});

describe('ModelInfer survives', () => {
  it('any change of a good message: an answer, or a refusal that says why', async () => {
    const fair = [status.OK, status.INVALID_ARGUMENT, status.NOT_FOUND];
    const property = fc.asyncProperty(mutatedBytes(message()), async (bytes) => {
      const answer = await caller.call(path, frame(bytes));
      expect(fair, answer.message).toContain(answer.code);
      expect(answer.code === status.OK || answer.message !== '').toBe(true);
    });
    await withNeighbours(() => fc.assert(property, { numRuns: fuzzRuns }));
  });

  it('callers that go in the middle of a message', async () => {
    await withNeighbours(async () => {
      const gone = await RawCaller.connect(serving.service.port);
      const calls = Array.from({ length: 8 }, () => gone.call(path, frame(message()).subarray(0, 30)));
      gone.close();
      await Promise.allSettled(calls);
    });
  });
});
