import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readConfig } from '../../services/gateway/config.js';
import { startGateway } from '../../services/gateway/service.js';
import type { RunningService } from '../../services/platform/main.js';
import { ApiDocument } from '../support/api-document.js';
import { type FakeInference, startFakeInference } from '../support/fake-inference.js';
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

const post = (path: string, body?: unknown) => call('POST', path, body);

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

  it.each<[string, unknown, RegExp]>([
    ['tensors', { inputs: new Array(1_000_000).fill(0) }, /inputs: expected at most 1000 entries but received 1000000/],
    ['dimensions', { inputs: [{ name: 'x', datatype: 'INT8', shape: new Array(65).fill(1) }] }, /shape: .*64 entries/],
    [
      'parameters',
      { inputs: [], parameters: Object.fromEntries(new Array(101).fill(1).entries()) },
      /parameters: .*100/,
    ],
    ['wrong tensors', { inputs: new Array(1_000).fill(0) }, /inputs\[4\].*; and 995 more/],
  ])('refuses too many %s with few words', async (_, body, words) => {
    const answer = await post(path, body);
    expect(answer).toEqual({ status: 400, body: { error: expect.stringMatching(words) } });
    expect(JSON.stringify(answer).length).toBeLessThan(1_000);
  });

  it('is given up when the caller hangs up', async () => {
    const controller = new AbortController();
    const url = `http://127.0.0.1:${gateway.port}/v2/models/slow/infer`;
    const call = fetch(url, { method: 'POST', body: '{"inputs": []}', signal: controller.signal });
    call.catch(() => {});
    await inference.arrived;
    controller.abort();
    await inference.cancelled;
    await expect(call).rejects.toThrow(/abort/);
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
    ['records that are no list', { records: {} }, /`records` to be an array/],
    ['a million wrong records', { records: new Array(1_000_000).fill(0) }, /records\[0\]/],
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
