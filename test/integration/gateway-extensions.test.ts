import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readConfig } from '../../services/gateway/config.js';
import { startGateway } from '../../services/gateway/service.js';
import type { RunningService } from '../../services/platform/main.js';
import { ApiDocument } from '../support/api-document.js';
import { duration, type FakeInference, startFakeInference } from '../support/fake-inference.js';
import { silentLog } from '../support/serving.js';

let inference: FakeInference;
let gateway: RunningService;
let document: ApiDocument;
let asked: FakeInference['asked'];

beforeAll(async () => {
  inference = await startFakeInference();
  asked = inference.asked;
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
