import { createRequire } from 'node:module';
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelInferRequest } from '../../proto/gen/inference/ModelInferRequest.js';
import type { PredictRequest } from '../../proto/gen/millrace/v1/PredictRequest.js';
import { contracts, createClient } from '../../proto/index.js';
import { classNames, expectedOutput, inputWidth, modelFiles, publish } from '../support/published-model.js';
import { rpcFailure } from '../support/rpc-failure.js';
import { Serving } from '../support/serving.js';
import { tempFolder } from '../support/temp-folder.js';

const dataDir = tempFolder();
let serving: Serving;

beforeAll(async () => {
  serving = await Serving.start(dataDir, '--batch-rows-max=4096');
  await publish(serving.registry, 'animals', modelFiles({ seed: 1 }));
  await publish(serving.registry, 'animals', modelFiles({ seed: 2 }), ['champion']);
  await publish(serving.registry, 'animals', modelFiles({ seed: 3 }), ['candidate']);
  await serving.serves('animals', 'candidate', 3);
  await serving.serves('animals', '1', 1);
});
afterAll(async () => {
  await serving?.stop();
});

const rowsOf = (count: number) => Float32Array.from({ length: count * inputWidth }, (_, i) => ((i * 7) % 11) / 11);
const bytesOf = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
const floatsOf = (bytes: Buffer) => new Float32Array(Uint8Array.from(bytes).buffer);

/** A good request of `rows` rows, raw. */
function request(rows = 1, more: ModelInferRequest = {}): ModelInferRequest {
  return {
    modelName: 'animals',
    inputs: [{ name: 'input', datatype: 'FP32', shape: [rows, inputWidth] }],
    rawInputContents: [bytesOf(rowsOf(rows))],
    ...more,
  };
}

const infer = (message: ModelInferRequest) => serving.inference.modelInfer(message);

/** The one input of a good request, changed. */
const withInput = (change: object, rows = 1): ModelInferRequest =>
  request(rows, { inputs: [{ name: 'input', datatype: 'FP32', shape: [rows, inputWidth], ...change }] });

describe('ModelInfer refuses', () => {
  const good = { name: 'input', datatype: 'FP32', shape: [1, inputWidth] };
  const raw = [bytesOf(rowsOf(1))];
  const typed = { fp32Contents: [...rowsOf(1)] };

  it.each<[string, ModelInferRequest, RegExp]>([
    ['a shape of one dimension', withInput({ shape: [inputWidth] }), /shape.*\[rows, 16\].*\[16\]/],
    ['a shape of three dimensions', withInput({ shape: [1, 4, 4] }), /shape.*\[1,4,4\]/],
    ['an empty shape', withInput({ shape: [] }), /shape.*\[\]/],
    ['a wrong width', withInput({ shape: [1, 17] }), /shape.*\[1,17\]/],
    ['a negative number of rows', withInput({ shape: [-1, inputWidth] }), /shape.*\[-1,16\]/],
    ['no rows', request(1, { inputs: [{ ...good, shape: [0, 16] }], rawInputContents: [Buffer.alloc(0)] }), /\[0,16\]/],
    ['rows beyond the limit', withInput({ shape: [4_097, inputWidth] }), /at most 4096 rows.*4097/],
    ['a shape that overflows', withInput({ shape: ['4611686018427387904', inputWidth] }), /at most 4096 rows/],
    ['another datatype', withInput({ datatype: 'UINT8' }), /'input' has datatype "UINT8".*expects FP32/],
    ['an unknown datatype', withInput({ datatype: 'fp32' }), /datatype "fp32"/],
    ['an unknown input', withInput({ name: 'inptu' }), /Unexpected inference input "inptu".*"input"/],
    ['no input', request(1, { inputs: [], rawInputContents: [] }), /input "input".*missing/],
    ['an input given twice', request(1, { inputs: [good, good], rawInputContents: [...raw, ...raw] }), /once.*"input"/],
    ['an unknown output', request(1, { outputs: [{ name: 'logits' }] }), /Unexpected inference output "logits"/],
    ['an output asked for twice', request(1, { outputs: [{ name: 'output' }, { name: 'output' }] }), /output once/],
    ['too few bytes', request(1, { rawInputContents: [raw[0]!.subarray(4)] }), /64 bytes.*received 60/],
    ['too many bytes', request(1, { rawInputContents: [Buffer.alloc(68)] }), /64 bytes.*received 68/],
    ['bytes of no input', request(1, { rawInputContents: [...raw, ...raw] }), /1 entries.*received 2/],
    ['raw and typed contents together', withInput({ contents: typed }), /either.*received both/],
    ['neither raw nor typed contents', request(1, { rawInputContents: [] }), /received neither/],
    [
      'too few elements',
      request(1, { inputs: [{ ...good, contents: { fp32Contents: [1] } }], rawInputContents: [] }),
      /16 elements.*received 1/,
    ],
    [
      'elements of another type',
      request(1, { inputs: [{ ...good, contents: { fp64Contents: [...rowsOf(1)] } }], rawInputContents: [] }),
      /`fp32_contents`.*fp64_contents/,
    ],
    ['an unknown parameter', request(1, { parameters: { triton_x: { boolParam: true } } }), /no parameter "triton_x"/],
    [
      'a sequence of the wrong kind',
      request(1, { parameters: { sequence_id: { boolParam: true } } }),
      /"sequence_id" to be an integer or a string.*true/,
    ],
    [
      'a negative priority',
      request(1, { parameters: { priority: { int64Param: -1 } } }),
      /"priority" to be 0 or more.*-1/,
    ],
    [
      'a timeout that is text',
      request(1, { parameters: { timeout: { stringParam: '1s' } } }),
      /"timeout" to be an integer.*1s/,
    ],
    ['a reserved parameter', request(1, { parameters: { triton_x: { boolParam: true } } }), /"triton_x".*reserved/],
    ['an unsigned custom parameter', request(1, { parameters: { mine: { uint64Param: 1 } } }), /"mine".*unsigned/],
    [
      'shared memory without a size',
      withInput({ parameters: { shared_memory_region: { stringParam: 'x' } } }),
      /shared_memory_byte_size/,
    ],
    [
      'no classes',
      request(1, { outputs: [{ name: 'output', parameters: { classification: { int64Param: 0 } } }] }),
      /classification.*1 or more.*0/,
    ],
    [
      'classification of an input',
      withInput({ parameters: { classification: { int64Param: 1 } } }),
      /no parameter "classification"/,
    ],
  ])('%s', async (_, message, words) => {
    const { code, message: text } = await rpcFailure(infer(message));
    expect([code, text]).toEqual(['INVALID_ARGUMENT', expect.stringMatching(words)]);
  });

  it('all that is wrong at once, naming the fields', async () => {
    const message = withInput({ datatype: 'INT8', shape: [1, 3] });
    const { details } = await rpcFailure(infer({ ...message, outputs: [{ name: 'x' }] }));
    expect(details.fieldViolations.map(({ field }) => field)).toEqual([
      'outputs[0].name',
      'inputs["input"].datatype',
      'inputs["input"].shape',
    ]);
  });

  it.each([
    ['an unknown model', { modelName: 'plants' }, "Request for unknown model: 'plants' is not found"],
    ['an unknown version', { modelVersion: '9' }, "Request for unknown model: 'animals' version 9 is not found"],
    ['an unknown alias', { modelVersion: 'chmpion' }, "'animals' version chmpion is not found. Served are 1, 2, 3, "],
    ['a number with a leading zero', { modelVersion: '02' }, "'animals' version 02 is not found"],
  ])('%s', async (_, change, words) => {
    const { code, message } = await rpcFailure(infer(request(1, change)));
    expect([code, message]).toEqual(['NOT_FOUND', expect.stringContaining(words)]);
  });
});

describe('ModelInfer', () => {
  it('answers exactly as the network does, and says which version it was', async () => {
    const answer = await infer(request(3, { id: 'abc' }));
    expect(answer).toMatchObject({
      modelName: 'animals',
      modelVersion: '2',
      id: 'abc',
      outputs: [{ name: 'output', datatype: 'FP32', shape: [3, 3], contents: null }],
    });
    expect(answer.rawOutputContents.map(floatsOf)).toEqual([expectedOutput({ seed: 2 }, rowsOf(3))]);
  });

  it('takes typed contents and gives raw ones', async () => {
    const inputs = [
      { name: 'input', datatype: 'FP32', shape: [2, inputWidth], contents: { fp32Contents: [...rowsOf(2)] } },
    ];
    const answer = await infer(request(2, { inputs, rawInputContents: [] }));
    expect(answer.rawOutputContents.map(floatsOf)).toEqual([expectedOutput({ seed: 2 }, rowsOf(2))]);
  });

  it('gives the likeliest classes with their labels when asked for them', async () => {
    const outputs = [{ name: 'output', parameters: { classification: { int64Param: 2 } } }];
    const answer = await infer(request(1, { outputs }));
    const expected = [...expectedOutput({ seed: 2 }, rowsOf(1))]
      .map((value, index) => ({ value, text: `${value.toFixed(6)}:${index}:${classNames[index]}` }))
      .sort((a, b) => b.value - a.value)
      .slice(0, 2)
      .map(({ text }) => `${String.fromCharCode(text.length)}\0\0\0${text}`);
    expect(answer.outputs).toMatchObject([{ name: 'output', datatype: 'BYTES', shape: [1, 2] }]);
    expect(answer.rawOutputContents[0]!.toString('latin1')).toBe(expected.join(''));
  });

  it('takes parameters of sequences, of scheduling and of the caller, none of which change the answer', async () => {
    const parameters = {
      sequence_id: { stringParam: 'a' },
      sequence_start: { boolParam: true },
      priority: { uint64Param: 1 },
      timeout: { int64Param: 10_000_000 },
      mine: { doubleParam: 1.5 },
    };
    const answer = await infer(request(1, { parameters }));
    expect(floatsOf(answer.rawOutputContents[0]!)).toEqual(expectedOutput({ seed: 2 }, rowsOf(1)));
  });

  it('reads raw bytes wherever they begin in the message', async () => {
    // The length of the id shifts the tensor by one byte each.
    for (const id of ['', 'a', 'ab', 'abc', 'abcd']) {
      const answer = await infer(request(1, { id }));
      expect(floatsOf(answer.rawOutputContents[0]!)).toEqual(expectedOutput({ seed: 2 }, rowsOf(1)));
    }
  });

  it('answers as many rows as it may, off the event loop, with the same bits', async () => {
    const answer = await infer(request(4_096));
    const expected = expectedOutput({ seed: 2 }, rowsOf(4_096));
    expect(Buffer.compare(answer.rawOutputContents[0]!, bytesOf(expected))).toBe(0);
  });

  it('lets numbers through that are not finite', async () => {
    const values = rowsOf(2);
    values[0] = Number.NaN;
    const answer = await infer(request(2, { rawInputContents: [bytesOf(values)] }));
    const output = floatsOf(answer.rawOutputContents[0]!);
    expect(output.subarray(3)).toEqual(expectedOutput({ seed: 2 }, rowsOf(2)).subarray(3));
    expect(output.subarray(0, 3)).toEqual(expectedOutput({ seed: 2 }, values).subarray(0, 3));
  });

  it('takes parameters that ask for nothing', async () => {
    const parameters = {
      sequence_id: { int64Param: 0 },
      sequence_start: { boolParam: false },
      priority: { uint64Param: 0 },
    };
    expect(await infer(request(1, { parameters, outputs: [{ name: 'output' }] }))).toMatchObject({ modelVersion: '2' });
  });

  it.each([
    ['', '2', 2],
    ['1', '1', 1],
    ['3', '3', 3],
    ['champion', '2', 2],
    ['candidate', '3', 3],
  ])('answers to version "%s" with version %s', async (modelVersion, number, seed) => {
    const answer = await infer(request(1, { modelVersion }));
    expect(answer.modelVersion).toBe(number);
    expect(floatsOf(answer.rawOutputContents[0]!)).toEqual(expectedOutput({ seed }, rowsOf(1)));
  });

  it('gives each of many requests at once its own answer', async () => {
    const batches = Array.from({ length: 60 }, (_, i) => rowsOf(1 + (i % 5)).map((value) => value * (i / 60)));
    const answers = await Promise.all(
      batches.map((values) => infer(request(values.length / inputWidth, { rawInputContents: [bytesOf(values)] }))),
    );
    expect(answers.map(({ rawOutputContents }) => floatsOf(rawOutputContents[0]!))).toEqual(
      batches.map((values) => expectedOutput({ seed: 2 }, values)),
    );
  });
});

describe('what the server says of itself', () => {
  it('is live and ready', async () => {
    expect(await serving.inference.serverLive({})).toEqual({ live: true });
    expect(await serving.inference.serverReady({})).toEqual({ ready: true });
    const health = createClient(contracts.health, `127.0.0.1:${serving.service.port}`);
    expect(await health.check({ service: 'inference.GRPCInferenceService' })).toEqual({ status: 'SERVING' });
    health.close();
  });

  it('has a name, the version of the package and the extensions that it has', async () => {
    const { version } = createRequire(import.meta.url)('#package') as { version: string };
    const extensions = [
      'classification',
      'sequence',
      'model_repository',
      'model_repository(unload_dependents)',
      'schedule_policy',
      'model_configuration',
      'system_shared_memory',
      'binary_tensor_data',
      'parameters',
      'statistics',
      'trace',
      'logging',
    ];
    expect(await serving.inference.serverMetadata({})).toEqual({ name: 'millrace', version, extensions });
  });

  it.each([
    ['animals', '', true],
    ['animals', '1', true],
    ['animals', 'candidate', true],
    ['animals', '9', false],
    ['plants', '', false],
  ])('says of model "%s" version "%s" that it is ready: %s', async (name, version, ready) => {
    expect(await serving.inference.modelReady({ name, version })).toEqual({ ready });
  });

  it('tells the tensors of a model', async () => {
    expect(await serving.inference.modelMetadata({ name: 'animals', version: 'candidate' })).toMatchObject({
      name: 'animals',
      versions: ['1', '2', '3'],
      platform: 'millrace_dense',
      inputs: [{ name: 'input', datatype: 'FP32', shape: [-1, inputWidth] }],
      outputs: [{ name: 'output', datatype: 'FP32', shape: [-1, 3] }],
    });
  });

  it('tells the configuration of a model, without the batch in its dimensions', async () => {
    const { config } = await serving.inference.modelConfig({ name: 'animals' });
    expect(config).toMatchObject({
      name: 'animals',
      platform: 'millrace_dense',
      backend: 'millrace',
      maxBatchSize: 4_096,
      versionPolicy: { latest: { numVersions: 8 } },
      input: [{ name: 'input', dataType: 'TYPE_FP32', dims: [inputWidth] }],
      output: [{ name: 'output', dataType: 'TYPE_FP32', dims: [3] }],
    });
  });

  it('refuses to describe a model that it does not have', async () => {
    for (const call of [
      serving.inference.modelMetadata({ name: 'plants' }),
      serving.inference.modelConfig({ name: 'plants' }),
    ]) {
      expect(await rpcFailure(call)).toMatchObject({
        code: 'NOT_FOUND',
        message: "Request for unknown model: 'plants' is not found",
      });
    }
  });

  it('lists its versions with their states', async () => {
    const { models } = await serving.inference.repositoryIndex({});
    expect(models).toEqual(
      ['1', '2', '3'].map((version) => ({ name: 'animals', version, state: 'READY', reason: '' })),
    );
  });

  it('answers UNIMPLEMENTED in words to what it does not have', async () => {
    const { inference } = serving;
    expect(await rpcFailure(inference.cudaSharedMemoryRegister({ name: 'x' }))).toMatchObject({
      code: 'UNIMPLEMENTED',
      message: expect.stringContaining('CUDA'),
    });
    expect(await rpcFailure(inference.repositoryIndex({ repositoryName: 'x' }))).toMatchObject({
      code: 'UNIMPLEMENTED',
    });
  });
});

describe('ModelStreamInfer', () => {
  const stream = async (...messages: ModelInferRequest[]) => {
    const answers = [];
    for await (const answer of serving.inference.modelStreamInfer(messages)) {
      answers.push(answer);
    }
    return answers;
  };

  it('answers in the order of the requests, and goes on after one that it refuses', async () => {
    const answers = await stream(
      request(300, { id: 'large' }),
      request(1, { id: 'unknown', modelName: 'plants' }),
      request(2, { id: 'last' }),
    );
    expect(answers.map(({ errorMessage, inferResponse }) => [errorMessage, inferResponse?.id])).toEqual([
      ['', 'large'],
      [expect.stringContaining("unknown model: 'plants'"), 'unknown'],
      ['', 'last'],
    ]);
    expect(floatsOf(answers[0]!.inferResponse!.rawOutputContents[0]!)).toEqual(
      expectedOutput({ seed: 2 }, rowsOf(300)),
    );
  });

  it('ends with the status of an error where the caller wants that', async () => {
    const metadata = new grpc.Metadata();
    metadata.set('triton_grpc_error', 'true');
    const answers = serving.inference.modelStreamInfer([request(1, { modelName: 'plants' })], { metadata });
    expect(await rpcFailure(answers.next())).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('marks every answer as the last of its request where the caller wants that', async () => {
    const [answer] = await stream(
      request(1, { parameters: { triton_enable_empty_final_response: { boolParam: true } } }),
    );
    expect(answer!.inferResponse!.parameters).toMatchObject({ triton_final_response: { boolParam: true } });
  });

  it('answers thousands of requests of one stream', async () => {
    const answers = await stream(...Array.from({ length: 2_000 }, (_, i) => request(1, { id: String(i) })));
    expect(answers.map(({ inferResponse }) => inferResponse?.id)).toEqual(answers.map((_, i) => String(i)));
  });
});

describe('the metrics endpoint', () => {
  const get = (path: string, method = 'GET') =>
    fetch(`http://127.0.0.1:${serving.service.metricsPort}${path}`, { method });

  it('is only /metrics, and only to be read', async () => {
    expect((await get('/')).status).toBe(404);
    expect((await get('/metrics', 'POST')).status).toBe(405);
  });

  it('counts requests by model, version and outcome', async () => {
    const count = async (outcome: string) => {
      const text = await (await get('/metrics')).text();
      const line = new RegExp(
        `^millrace_inference_requests_total\\{.*version="1",outcome="${outcome}".*\\} (\\d+)$`,
        'm',
      );
      return Number(line.exec(text)?.[1] ?? 0);
    };
    const [successes, failures] = [await count('success'), await count('failure')];
    await infer(request(1, { modelVersion: '1' }));
    await rpcFailure(infer(request(1, { modelVersion: '1', outputs: [{ name: 'x' }] })));
    expect([await count('success'), await count('failure')]).toEqual([successes + 1, failures + 1]);
    const text = await (await get('/metrics')).text();
    expect(text).toContain('millrace_inference_seconds_bucket{');
    expect(text).toContain('millrace_inference_versions{model="animals",state="READY",service="inference"} 3');
  });
});

describe('Predict refuses', () => {
  const image = { content: Buffer.alloc(inputWidth) };
  it.each<[string, PredictRequest, string, RegExp]>([
    [
      'a name of another form',
      { model: 'animals', records: [{ values: { image } }] },
      'INVALID_ARGUMENT',
      /`model`.*models\/\{model\}.*"animals"/,
    ],
    [
      'an unknown model',
      { model: 'models/plants', records: [{ values: { image } }] },
      'NOT_FOUND',
      /'plants' is not found/,
    ],
    [
      'an unknown version',
      { model: 'models/animals/versions/9', records: [{ values: { image } }] },
      'NOT_FOUND',
      /version 9/,
    ],
    [
      'an unknown alias',
      { model: 'models/animals/aliases/x', records: [{ values: { image } }] },
      'NOT_FOUND',
      /version x/,
    ],
    ['no records', { model: 'models/animals', records: [] }, 'INVALID_ARGUMENT', /`records`.*received 0/],
    [
      'too many records',
      { model: 'models/animals', records: Array(4_097).fill({ values: { image } }) },
      'INVALID_ARGUMENT',
      /`records`.*received 4097/,
    ],
    [
      'an unknown column',
      { model: 'models/animals', records: [{ values: { image, imgae: image } }] },
      'INVALID_ARGUMENT',
      /records\[0\].*imgae/,
    ],
    [
      'a missing column',
      { model: 'models/animals', records: [{ values: { image } }, { values: {} }] },
      'INVALID_ARGUMENT',
      /records\[1\].*image/,
    ],
    [
      'a missing value',
      { model: 'models/animals', records: [{ values: { image: {} } }] },
      'INVALID_ARGUMENT',
      /records\[0\].*image/,
    ],
    [
      'text for an image',
      { model: 'models/animals', records: [{ values: { image: { text: 'x' } } }] },
      'INVALID_ARGUMENT',
      /"x"/,
    ],
    [
      'bytes that are no image',
      { model: 'models/animals', records: [{ values: { image: { content: Buffer.alloc(5) } } }] },
      'INVALID_ARGUMENT',
      /16/,
    ],
    [
      'numbers that are not finite',
      {
        model: 'models/animals',
        records: [{ values: { image: { numbers: { values: Array(inputWidth).fill(Number.NaN) } } } }],
      },
      'INVALID_ARGUMENT',
      /NaN/,
    ],
  ])('%s', async (_, message, code, words) => {
    const failure = await rpcFailure(serving.prediction.predict(message));
    expect([failure.code, failure.message]).toEqual([code, expect.stringMatching(words)]);
  });
});

describe('Predict', () => {
  it('answers classes with their probabilities, likeliest first, from what training would have seen', async () => {
    const pixels = Buffer.from(Array.from({ length: 2 * inputWidth }, (_, i) => (i * 37) % 256));
    const scaled = Float32Array.from(pixels, (pixel) => pixel * Math.fround(1 / 255));
    const records = [0, 1].map((row) => ({
      values: { image: { content: pixels.subarray(row * inputWidth, (row + 1) * inputWidth) } },
    }));
    const { modelVersion, predictions } = await serving.prediction.predict({ model: 'models/animals', records });
    expect(modelVersion).toBe('models/animals/versions/2');
    const expected = expectedOutput({ seed: 2 }, scaled);
    expect(predictions).toHaveLength(2);
    for (const [row, { label, scores, number }] of predictions.entries()) {
      const probabilities = [...expected.subarray(row * 3, row * 3 + 3)];
      const byLabel = Object.fromEntries(classNames.map((name, i) => [name, probabilities[i]]));
      expect(Object.fromEntries(scores.map((score) => [score.label, score.probability]))).toEqual(byLabel);
      expect(scores.map(({ probability }) => probability)).toEqual([...probabilities].sort((a, b) => b - a));
      expect(label).toBe(scores[0]!.label);
      expect(number).toBeUndefined();
    }
  });

  it('takes a version or an alias by its name', async () => {
    const records = [{ values: { image: { content: Buffer.alloc(inputWidth) } } }];
    for (const [model, version] of [
      ['models/animals/versions/1', 1],
      ['models/animals/aliases/candidate', 3],
    ]) {
      const { modelVersion } = await serving.prediction.predict({ model: String(model), records });
      expect(modelVersion).toBe(`models/animals/versions/${version}`);
    }
  });

  it('answers one of two classes from a single output', async () => {
    const parts = {
      seed: 4,
      label: { column: 'alive', kind: 'binary' as const, classes: ['no', 'yes'] },
      layers: [
        { type: 'dense' as const, units: 1, activation: 'sigmoid' as const, kernelInitializer: 'heUniform' as const },
      ],
    };
    await publish(serving.registry, 'alive', modelFiles(parts));
    await serving.serves('alive', '', 1);
    const records = [{ values: { image: { content: Buffer.alloc(inputWidth, 255) } } }];
    const { predictions } = await serving.prediction.predict({ model: 'models/alive', records });
    const [yes] = expectedOutput(parts, new Float32Array(inputWidth).fill(255 * Math.fround(1 / 255)));
    const scores = { no: 1 - yes!, yes: yes! };
    expect(Object.fromEntries(predictions[0]!.scores.map((score) => [score.label, score.probability]))).toEqual(scores);
    expect(predictions[0]!.label).toBe(yes! > 0.5 ? 'yes' : 'no');
  });

  it('answers a number where the label is one', async () => {
    const parts = {
      seed: 5,
      label: { column: 'weight', kind: 'number' as const },
      layers: [
        { type: 'dense' as const, units: 1, activation: 'linear' as const, kernelInitializer: 'heUniform' as const },
      ],
    };
    await publish(serving.registry, 'weight', modelFiles(parts));
    await serving.serves('weight', '', 1);
    const records = [{ values: { image: { numbers: { values: Array(inputWidth).fill(51) } } } }];
    const { predictions } = await serving.prediction.predict({ model: 'models/weight', records });
    const [number] = expectedOutput(parts, new Float32Array(inputWidth).fill(Math.fround(51 * Math.fround(1 / 255))));
    expect(predictions).toEqual([{ label: '', scores: [], labels: [], numbers: [], number, _number: 'number' }]);
  });
});
