import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { contracts } from '../../proto/index.js';
import { readConfig } from '../../services/gateway/config.js';
import { startGateway } from '../../services/gateway/service.js';
import { ServiceError } from '../../services/platform/errors.js';
import { implement } from '../../services/platform/handler.js';
import type { RunningService } from '../../services/platform/main.js';
import { Metrics } from '../../services/platform/metrics.js';
import { type RunningServer, startServer } from '../../services/platform/server.js';
import { ApiDocument } from '../support/api-document.js';
import { silentLog } from '../support/serving.js';

let inference: RunningServer;
let gateway: RunningService;
let document: ApiDocument;

/** Requests that reached inference, by method. */
const asked: Record<string, unknown> = {};

/** Notes the request and answers. */
function answer<T>(method: string, response: T) {
  return (request: unknown) => {
    asked[method] = request;
    return response;
  };
}

const duration = { count: 2, ns: 9_000_000_000_000 };
const times = { computeInput: duration, computeInfer: duration, computeOutput: duration };

beforeAll(async () => {
  inference = await startServer({
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    metrics: new Metrics('inference'),
    implementations: [
      implement(contracts.inference, {
        ModelConfig: answer('config', {
          config: {
            name: 'm',
            backend: 'millrace',
            maxBatchSize: 8,
            input: [{ name: 'x', dataType: 'TYPE_INT64', dims: [-1, 4] }],
            dynamicBatching: { preferredBatchSize: [4, 8], maxQueueDelayMicroseconds: 100 },
            parameters: { labelFile: { stringValue: 'a' } },
          },
        }),
        ModelStatistics: answer('stats', {
          modelStats: [
            {
              name: 'm',
              version: '3',
              lastInference: 1_790_000_000_000,
              inferenceCount: 7,
              inferenceStats: { success: duration, fail: duration, queue: duration, ...times },
              batchStats: [{ batchSize: 4, ...times }],
            },
          ],
        }),
        RepositoryIndex: answer('index', { models: [{ name: 'm', version: '3', state: 'READY' }] }),
        RepositoryModelLoad: answer('load', {}),
        RepositoryModelUnload: answer('unload', {}),
        SystemSharedMemoryStatus: answer('status', {
          regions: { in: { name: 'in', key: '/in', offset: 8, byteSize: 64 } },
        }),
        SystemSharedMemoryRegister: (request) => {
          asked.register = request;
          if (request.name === 'taken') {
            throw new ServiceError('ALREADY_EXISTS', 'REGION_EXISTS', 'There is one.');
          }
          return {};
        },
        SystemSharedMemoryUnregister: answer('unregister', {}),
        TraceSetting: answer('trace', {
          settings: { trace_level: { value: ['TIMESTAMPS'] }, trace_rate: { value: ['1000'] } },
        }),
        LogSettings: answer('log', {
          settings: {
            log_info: { boolParam: true },
            log_verbose_level: { uint32Param: 0 },
            log_format: { stringParam: 'default' },
          },
        }),
        ModelMetadata: ({ name }) => {
          const tensors = name === 'two' ? ['x', 'y'] : ['x'];
          return {
            name,
            inputs: tensors.map((name) => ({ name, datatype: 'BYTES', shape: [-1, 1] })),
          };
        },
        ModelInfer: (request) => {
          asked.infer = request;
          const outputs = request.inputs.map(({ name, datatype, shape, parameters }) => ({
            name,
            datatype,
            shape,
            parameters,
          }));
          let next = 0;
          return {
            modelName: request.modelName,
            modelVersion: '3',
            id: request.id,
            parameters: { ...request.parameters, final: { boolParam: true } },
            outputs,
            rawOutputContents: request.inputs.map(({ parameters }) =>
              parameters.shared_memory_region ? Buffer.alloc(0) : request.rawInputContents[next++]!,
            ),
          };
        },
      }),
      implement(contracts.prediction, {
        Predict: answer('predict', {
          modelVersion: 'models/m/versions/3',
          predictions: [{ label: 'a', scores: [{ label: 'a', probability: 1 }] }, { number: 0 }],
        }),
      }),
    ],
  });
  inference.setServing(true);
  const address = `--inference-address=127.0.0.1:${inference.port}`;
  gateway = await startGateway(readConfig(['--port=0', address], {}), silentLog);
  document = await ApiDocument.of(gateway.port);
});
beforeEach(() => {
  for (const method of Object.keys(asked)) {
    delete asked[method];
  }
});
afterAll(async () => {
  await gateway?.stop();
  await inference?.stop(0);
});

interface Answer {
  status: number;
  body: unknown;
}

/** Every answer must be as the OpenAPI document says. */
async function call(method: string, path: string, body?: unknown): Promise<Answer> {
  const sent = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(`http://127.0.0.1:${gateway.port}${path}`, {
    method,
    ...(sent === undefined ? {} : { body: sent }),
  });
  const text = await response.text();
  const answer = { status: response.status, body: text === '' ? '' : JSON.parse(text) };
  document.expectAnswer(method, path, answer.status, answer.body);
  return answer;
}

const get = (path: string) => call('GET', path);
const post = (path: string, body?: unknown) => call('POST', path, body);
const done = { status: 200, body: '' };

describe('configuration and statistics', () => {
  it('are named as in the contract, keys of maps as they are', async () => {
    expect(await get('/v2/models/m/versions/3/config')).toMatchObject({
      status: 200,
      body: {
        name: 'm',
        max_batch_size: 8,
        input: [{ data_type: 'TYPE_INT64', dims: [-1, 4], is_shape_tensor: false }],
        dynamic_batching: { preferred_batch_size: [4, 8], max_queue_delay_microseconds: 100 },
        parameters: { labelFile: { string_value: 'a' } },
      },
    });
    expect(asked.config).toEqual({ name: 'm', version: '3' });
  });

  it.each([
    ['/v2/models/stats', '', ''],
    ['/v2/models/m/stats', 'm', ''],
    ['/v2/models/m/versions/3/stats', 'm', '3'],
  ])('counts are numbers at %s', async (path, name, version) => {
    expect(await get(path)).toMatchObject({
      status: 200,
      body: {
        model_stats: [
          {
            name: 'm',
            last_inference: 1_790_000_000_000,
            inference_stats: { success: duration },
            batch_stats: [{ batch_size: 4, compute_infer: duration }],
          },
        ],
      },
    });
    expect(asked.stats).toEqual({ name, version });
  });
});

describe('the model repository', () => {
  it.each([
    ['ready: 1', '/v2/repository/index', { ready: 1 }, /ready/],
    [
      'a file that is not in base64',
      '/v2/repository/models/m/load',
      { parameters: { 'file:1/model.onnx': 'a?==' } },
      /file:1\/model.onnx.*base64/,
    ],
    ['a fraction', '/v2/repository/models/m/load', { parameters: { x: 1.5 } }, /parameters\.x.*integer/],
    ['an unknown key', '/v2/repository/models/m/unload', { unload_dependents: true }, /unload_dependents/],
  ])('refuses %s', async (_, path, body, words) => {
    expect(await post(path, body)).toEqual({ status: 400, body: { error: expect.stringMatching(words) } });
    expect(asked).toEqual({});
  });

  it('is listed', async () => {
    const body = [{ name: 'm', version: '3', state: 'READY', reason: '' }];
    expect(await post('/v2/repository/index')).toEqual({ status: 200, body });
    expect(await post('/v2/repository/index', { ready: true })).toEqual({ status: 200, body });
    expect(asked.index).toEqual({ repositoryName: '', ready: true });
  });

  it('loads with a configuration and files, and unloads', async () => {
    const parameters = { config: '{}', 'file:1/model.onnx': Buffer.from([0, 255]).toString('base64') };
    expect(await post('/v2/repository/models/m/load', { parameters })).toEqual(done);
    expect(asked.load).toMatchObject({
      modelName: 'm',
      parameters: { config: { stringParam: '{}' }, 'file:1/model.onnx': { bytesParam: Buffer.from([0, 255]) } },
    });
    expect(await post('/v2/repository/models/m/load')).toEqual(done);
    expect(await post('/v2/repository/models/m/unload', { parameters: { unload_dependents: false } })).toEqual(done);
    expect(asked.unload).toMatchObject({ modelName: 'm', parameters: { unload_dependents: { boolParam: false } } });
  });
});

describe('shared memory', () => {
  it.each([
    ['a region without a key', { byte_size: 1 }, /key/],
    ['a region without a size', { key: '/in' }, /byte_size/],
    ['a negative offset', { key: '/in', byte_size: 1, offset: -1 }, /offset/],
  ])('refuses %s', async (_, body, words) => {
    const answer = await post('/v2/systemsharedmemory/region/in/register', body);
    expect(answer).toEqual({ status: 400, body: { error: expect.stringMatching(words) } });
  });

  it('says that a region is there already', async () => {
    const answer = await post('/v2/systemsharedmemory/region/taken/register', { key: '/in', byte_size: 64 });
    expect(answer).toEqual({ status: 400, body: { error: 'There is one.' } });
  });

  it('is registered, told of and forgotten', async () => {
    expect(await post('/v2/systemsharedmemory/region/in/register', { key: '/in', byte_size: 64, offset: 8 })).toEqual(
      done,
    );
    expect(asked.register).toEqual({ name: 'in', key: '/in', offset: 8, byteSize: 64 });
    for (const [path, name] of [
      ['', ''],
      ['region/in/', 'in'],
    ]) {
      const body = [{ name: 'in', key: '/in', offset: 8, byte_size: 64 }];
      expect(await get(`/v2/systemsharedmemory/${path}status`)).toEqual({ status: 200, body });
      expect(asked.status).toEqual({ name });
      expect(await post(`/v2/systemsharedmemory/${path}unregister`, '')).toEqual(done);
      expect(asked.unregister).toEqual({ name });
    }
  });

  it('of CUDA is not there', async () => {
    const region = { raw_handle: { b64: 'AAAA' }, device_id: 0, byte_size: 1 };
    for (const answer of [
      await get('/v2/cudasharedmemory/status'),
      await get('/v2/cudasharedmemory/region/in/status'),
      await post('/v2/cudasharedmemory/region/in/register', region),
      await post('/v2/cudasharedmemory/region/in/unregister'),
      await post('/v2/cudasharedmemory/unregister'),
    ]) {
      expect(answer).toEqual({ status: 501, body: { error: expect.any(String) } });
    }
  });
});

describe('settings', () => {
  it.each([
    ['/v2/trace/setting', { trace_rate: 1.5 }],
    ['/v2/logging', { log_verbose_level: -1 }],
    ['/v2/logging', []],
  ])('are refused at %s when they are %j', async (path, body) => {
    expect(await post(path, body)).toMatchObject({ status: 400 });
    expect(asked).toEqual({});
  });

  it.each([
    ['/v2/trace/setting', ''],
    ['/v2/models/m/trace/setting', 'm'],
  ])('of tracing are told and changed at %s', async (path, modelName) => {
    const answer = { status: 200, body: { trace_level: ['TIMESTAMPS'], trace_rate: '1000' } };
    expect(await get(path)).toEqual(answer);
    expect(asked.trace).toEqual({ settings: {}, modelName });
    expect(await post(path, { trace_level: ['OFF'], trace_rate: '5', trace_count: null })).toEqual(answer);
    expect(asked.trace).toEqual({
      settings: { trace_level: { value: ['OFF'] }, trace_rate: { value: ['5'] }, trace_count: { value: [] } },
      modelName,
    });
  });

  it('of the log are told and changed', async () => {
    const answer = { status: 200, body: { log_info: true, log_verbose_level: 0, log_format: 'default' } };
    expect(await get('/v2/logging')).toEqual(answer);
    expect(
      await post('/v2/logging', { log_info: false, log_verbose_level: 1, log_format: 'ISO8601', log_file: null }),
    ).toEqual(answer);
    expect(asked.log).toMatchObject({
      settings: {
        log_info: { boolParam: false },
        log_verbose_level: { uint32Param: 1 },
        log_format: { stringParam: 'ISO8601' },
      },
    });
  });
});

describe('infer', () => {
  const path = '/v2/models/m/infer';

  it('carries several tensors of any datatype, each exact', async () => {
    const inputs = [
      { name: 'long', datatype: 'INT64', shape: [2], data: [] as unknown[] },
      { name: 'text', datatype: 'BYTES', shape: [2, 1], data: [['räder'], ['']] },
      { name: 'truth', datatype: 'BOOL', shape: [1], data: [true] },
      { name: 'empty', datatype: 'FP16', shape: [0, 3], data: [] },
    ];
    const body = JSON.stringify({ inputs }).replace('[]', '[9223372036854775807,"-9007199254740993"]');
    const response = await fetch(`http://127.0.0.1:${gateway.port}${path}`, { method: 'POST', body });
    const text = await response.text();
    expect(text).toContain('"data":[9223372036854775807,-9007199254740993]');
    document.expectAnswer('POST', path, response.status, JSON.parse(text));
    expect(JSON.parse(text).outputs.slice(1)).toEqual([
      { name: 'text', datatype: 'BYTES', shape: [2, 1], data: ['räder', ''] },
      { name: 'truth', datatype: 'BOOL', shape: [1], data: [true] },
      { name: 'empty', datatype: 'FP16', shape: [0, 3], data: [] },
    ]);
  });

  it('carries parameters in and out', async () => {
    const inputs = [{ name: 'x', datatype: 'UINT8', shape: [1], data: [1], parameters: { scale: 0.5 } }];
    const outputs = [{ name: 'x', parameters: { classification: 2 } }];
    const parameters = { sequence_id: 5, sequence_start: true, colour: 'red' };
    expect(await post(path, { id: 'a', inputs, outputs, parameters })).toMatchObject({
      body: { id: 'a', parameters: { ...parameters, final: true }, outputs: [{ parameters: { scale: 0.5 } }] },
    });
    expect(asked.infer).toMatchObject({
      parameters: {
        sequence_id: { int64Param: 5 },
        sequence_start: { boolParam: true },
        colour: { stringParam: 'red' },
      },
      outputs: [{ name: 'x', parameters: { classification: { int64Param: 2 } } }],
    });
    await post(path, `{"inputs": [], "parameters": {"sequence_id": 18446744073709551615}}`);
    expect(asked.infer).toMatchObject({ parameters: { sequence_id: { parameterChoice: 'uint64Param' } } });
  });

  it('leaves tensors in shared memory where they are', async () => {
    const shared = { shared_memory_region: 'in', shared_memory_byte_size: 64, shared_memory_offset: 8 };
    const inputs = [
      { name: 'x', datatype: 'UINT8', shape: [64], parameters: shared },
      { name: 'y', datatype: 'UINT8', shape: [1], data: [1] },
    ];
    expect(await post(path, { inputs, parameters: { binary_data_output: false } })).toMatchObject({
      body: {
        outputs: [
          { name: 'x', parameters: shared },
          { name: 'y', data: [1] },
        ],
      },
    });
    expect(asked.infer).toMatchObject({ rawInputContents: [Buffer.from([1])] });
    const beside = await post(path, { inputs: [{ ...inputs[0], data: [1] }] });
    expect(beside).toMatchObject({ status: 400, body: { error: expect.stringContaining('one of `data`') } });
  });

  it.each([
    ['NaN', 'FP32', [0, 0, 0xc0, 0x7f], /NaN.*binary data/],
    ['bytes that are no text', 'BYTES', [1, 0, 0, 0, 255], /UTF-8.*binary data/],
    ['BF16', 'BF16', [0, 0], /BF16.*binary data/],
  ])('says that JSON cannot express %s', async (_, datatype, bytes, words) => {
    const input = { name: 'x', datatype, shape: [1], parameters: { binary_data_size: bytes.length } };
    const json = JSON.stringify({ inputs: [input] });
    const response = await fetch(`http://127.0.0.1:${gateway.port}${path}`, {
      method: 'POST',
      headers: { 'inference-header-content-length': String(json.length) },
      body: Buffer.concat([Buffer.from(json), Buffer.from(bytes)]),
    });
    expect([response.status, await response.json()]).toEqual([422, { error: expect.stringMatching(words) }]);
  });

  it('takes text alone as the one input of a model', async () => {
    const ask = (model: string) =>
      fetch(`http://127.0.0.1:${gateway.port}/v2/models/${model}/infer`, {
        method: 'POST',
        headers: { 'inference-header-content-length': '0' },
        body: 'abc',
      });
    expect((await ask('m')).status).toBe(200);
    expect(asked.infer).toMatchObject({
      inputs: [{ name: 'x', shape: [1, 1] }],
      rawInputContents: [Buffer.from('\u0003\0\0\0abc')],
    });
    expect(await (await ask('two')).json()).toEqual({ error: expect.stringMatching(/'two' has 2/) });
  });
});

describe('predictions from raw records', () => {
  it.each([
    ['no records', {}, /records/],
    ['a record that is a list', { records: [[1]] }, /records\[0\]/],
    ['a value of another kind', { records: [{ age: { years: 1 } }] }, /records\[0\]\.age/],
    ['a list that is not of numbers', { records: [{ age: ['1'] }] }, /records\[0\]\.age/],
  ])('refuse %s', async (_, body, words) => {
    expect(await post('/v1/models/m:predict', body)).toEqual({
      status: 400,
      body: { error: expect.stringMatching(words) },
    });
  });

  it.each([
    ['/v1/models/m:predict', 'models/m'],
    ['/v1/models/m/versions/3:predict', 'models/m/versions/3'],
    ['/v1/models/m/aliases/champion:predict', 'models/m/aliases/champion'],
  ])('are made at %s', async (path, model) => {
    const record = { age: 31, job: 'baker', is_new: true, income: null, pixels: [0, 1], photo: { content: 'AP8=' } };
    expect(await post(path, { records: [record, {}] })).toEqual({
      status: 200,
      body: {
        modelVersion: 'models/m/versions/3',
        predictions: [{ label: 'a', scores: [{ label: 'a', probability: 1 }] }, { number: 0 }],
      },
    });
    expect(asked.predict).toMatchObject({
      model,
      records: [
        {
          values: {
            age: { number: 31 },
            job: { text: 'baker' },
            is_new: { boolean: true },
            income: {},
            pixels: { numbers: { values: [0, 1] } },
            photo: { content: Buffer.from([0, 255]) },
          },
        },
        { values: {} },
      ],
    });
  });
});
