import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../services/gateway/config.js';
import { startGateway } from '../../services/gateway/service.js';
import type { RunningService } from '../../services/platform/main.js';
import { ApiDocument } from '../support/api-document.js';
import { expectedOutput, inputWidth, modelFiles, publish } from '../support/published-model.js';
import { Serving, silentLog } from '../support/serving.js';
import { tempFolder } from '../support/temp-folder.js';

const dataDir = tempFolder();
let serving: Serving;
let gateway: RunningService;
let alone: RunningService;
let document: ApiDocument;

/** Nothing listens on port 1. */
const nowhere = '127.0.0.1:1';

beforeAll(async () => {
  serving = await Serving.start(dataDir);
  await publish(serving.registry, 'animals', modelFiles({ seed: 1 }));
  await publish(serving.registry, 'animals', modelFiles({ seed: 2 }), ['champion']);
  await serving.serves('animals', '', 2);
  await serving.serves('animals', '1', 1);
  gateway = await start(`--inference-address=127.0.0.1:${serving.service.port}`);
  document = await ApiDocument.of(gateway.port);
  alone = await start(`--inference-address=${nowhere}`);
});
afterAll(async () => {
  await gateway?.stop();
  await alone?.stop();
  await serving?.stop();
});

function start(...settings: string[]): Promise<RunningService> {
  const others = ['registry', 'training', 'preprocessing'].map((name) => `--${name}-address=${nowhere}`);
  return startGateway(readConfig(['--port=0', ...others, ...settings], {}), silentLog);
}

interface Answer {
  status: number;
  body: unknown;
}

/** Every answer must be as the OpenAPI document says. */
async function call(path: string, init: RequestInit = {}, service = gateway): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${service.port}${path}`, init);
  const answer = { status: response.status, body: await response.json() };
  document.expectAnswer(init.method ?? 'GET', path, answer.status, answer.body);
  return answer;
}

const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  call(path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers });

/** Says how long a body is, and sends none of it. */
function announce(port: number, bytes: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { port, path: inferPath, method: 'POST', headers: { 'content-length': bytes } },
      (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode!, body: JSON.parse(text) }));
      },
    );
    request.on('error', reject);
    request.flushHeaders();
  });
}

const rowsOf = (count: number) =>
  Array.from({ length: count }, (_, row) => Array.from({ length: inputWidth }, (_, i) => ((row + i) % 8) / 8));
const input = { name: 'input', shape: [1, inputWidth], datatype: 'FP32', data: rowsOf(1)[0] as unknown };
const inferPath = '/v2/models/animals/infer';

describe('what the gateway refuses', () => {
  it.each<[string, unknown, number, RegExp]>([
    ['a body that is not JSON', '{"inputs": [', 400, /not JSON/],
    ['an empty body', '', 400, /not JSON/],
    ['a body of another form', [], 400, /the body/],
    ['a misspelled key', { inputs: [input], output: [] }, 400, /output/],
    ['no inputs', { inputs: [] }, 400, /input "input".*missing/],
    ['an unknown input', { inputs: [{ ...input, name: 'x' }] }, 400, /Unexpected inference input "x"/],
    ['another datatype', { inputs: [{ ...input, datatype: 'INT8', data: input.shape }] }, 400, /INT8|16 elements/],
    ['a shape that does not fit the model', { inputs: [{ ...input, shape: [2, 8] }] }, 400, /shape.*\[2,8\]/],
    [
      'a shape that does not fit the data',
      { inputs: [{ ...input, shape: [2, inputWidth] }] },
      400,
      /32 elements.*received 16/,
    ],
    [
      'nested data of another shape',
      { inputs: [{ ...input, shape: [2, inputWidth], data: [rowsOf(1)[0], [1, 2]] }] },
      400,
      /inputs\[0\]\.data\[1\].*16 elements.*received 2 elements/,
    ],
    ['data nested too deep', { inputs: [{ ...input, data: [[rowsOf(1)[0]]] }] }, 400, /inputs\[0\]\.data/],
    ['data that is not an array', { inputs: [{ ...input, data: 'x' }] }, 400, /to be an array but received "x"/],
    ['no data', { inputs: [{ ...input, data: undefined }] }, 400, /inputs\[0\].*one of `data`/],
    [
      'an element that is no number',
      { inputs: [{ ...input, data: [...rowsOf(1)[0]!.slice(1), null] }] },
      400,
      /element 15.*null/,
    ],
    [
      'a number beyond FP32',
      { inputs: [{ ...input, data: [...rowsOf(1)[0]!.slice(1), 1e39] }] },
      400,
      /element 15.*1e\+39/,
    ],
    [
      'a parameter that the server does not have',
      { inputs: [input], parameters: { triton_colour: 'red' } },
      400,
      /triton_/,
    ],
    [
      'a flag that is no truth value',
      { inputs: [input], parameters: { binary_data_output: 1 } },
      400,
      /parameters\.binary_data_output.*true or false but received 1/,
    ],
    ['an unknown output', { inputs: [input], outputs: [{ name: 'x' }] }, 400, /Unexpected inference output "x"/],
  ])('%s', async (_, body, status, words) => {
    const answer = await post(inferPath, body);
    expect(answer).toEqual({ status, body: { error: expect.stringMatching(words) } });
  });

  it.each([
    ['an unknown model', '/v2/models/plants/infer', /'plants' is not found/],
    ['an unknown version', '/v2/models/animals/versions/9/infer', /version 9 is not found/],
  ])('%s', async (_, path, words) => {
    expect(await post(path, { inputs: [input] })).toEqual({
      status: 404,
      body: { error: expect.stringMatching(words) },
    });
  });

  it('an encoding that it does not have', async () => {
    const answer = await post(inferPath, { inputs: [input] }, { 'content-encoding': 'br' });
    expect(answer).toEqual({ status: 415, body: { error: expect.stringContaining('"br"') } });
  });

  it('a body beyond 64 MiB, before it has come', async () => {
    expect(await announce(gateway.port, 2 ** 33)).toEqual({
      status: 413,
      body: { error: expect.stringContaining(String(64 * 1024 * 1024)) },
    });
  });

  it('a body beyond another limit', async () => {
    const limited = await start(`--message-bytes-max=${32 * 1024 * 1024}`);
    const answer = await announce(limited.port, 33 * 1024 * 1024).finally(() => limited.stop());
    expect(answer).toEqual({ status: 413, body: { error: expect.stringContaining(String(32 * 1024 * 1024)) } });
  });

  it('paths that it does not have', async () => {
    for (const path of ['/v3', inferPath]) {
      const response = await fetch(`http://127.0.0.1:${gateway.port}${path}`);
      expect(response.status).toBe(404);
      expect(await response.json()).toEqual({ error: `There is no GET ${path}.` });
    }
  });
});

describe('infer', () => {
  const expected = [...expectedOutput({ seed: 2 }, Float32Array.from(rowsOf(2).flat()))];

  it('takes flat data and answers flat data', async () => {
    const body = { id: 'abc', inputs: [{ ...input, shape: [2, inputWidth], data: rowsOf(2).flat() }] };
    expect(await post(inferPath, body)).toEqual({
      status: 200,
      body: {
        model_name: 'animals',
        model_version: '2',
        id: 'abc',
        outputs: [{ name: 'output', datatype: 'FP32', shape: [2, 3], data: expected }],
      },
    });
  });

  it('takes data nested as the shape says, and only the outputs that are asked for', async () => {
    const body = {
      inputs: [{ ...input, shape: [2, inputWidth], data: rowsOf(2) }],
      outputs: [{ name: 'output', parameters: { binary_data: false } }],
    };
    expect(await post(inferPath, body)).toMatchObject({ status: 200, body: { outputs: [{ data: expected }] } });
  });

  it('asks a version by its number or alias', async () => {
    for (const [asked, version] of [
      ['1', '1'],
      ['champion', '2'],
    ]) {
      const answer = await post(`/v2/models/animals/versions/${asked}/infer`, { inputs: [input] });
      expect(answer).toMatchObject({ status: 200, body: { model_version: version } });
    }
  });

  it.each(['application/json', 'application/octet-stream', 'text/plain'])('takes JSON sent as %s', async (type) => {
    expect(await post(inferPath, { inputs: [input] }, { 'content-type': type })).toMatchObject({ status: 200 });
  });
});

describe('what the gateway tells', () => {
  it('the server and its models', async () => {
    expect(await call('/v2')).toMatchObject({ status: 200, body: { name: 'millrace', extensions: expect.any(Array) } });
    for (const path of ['/v2/models/animals', '/v2/models/animals/versions/1']) {
      expect(await call(path)).toEqual({
        status: 200,
        body: {
          name: 'animals',
          versions: ['1', '2'],
          platform: 'millrace_dense',
          inputs: [{ name: 'input', datatype: 'FP32', shape: [-1, inputWidth] }],
          outputs: [{ name: 'output', datatype: 'FP32', shape: [-1, 3] }],
        },
      });
    }
    expect(await call('/v2/models/plants')).toMatchObject({ status: 404 });
  });

  it('what is live and ready', async () => {
    expect(await call('/v2/health/live')).toEqual({ status: 200, body: { live: true } });
    expect(await call('/v2/health/ready')).toEqual({ status: 200, body: { ready: true } });
    expect(await call('/v2/models/animals/ready')).toEqual({ status: 200, body: { name: 'animals', ready: true } });
    expect(await call('/v2/models/animals/versions/9/ready')).toEqual({
      status: 400,
      body: { name: 'animals', ready: false },
    });
  });

  it('gives back the id of a request', async () => {
    const response = await fetch(`http://127.0.0.1:${gateway.port}/v2`, { headers: { 'x-request-id': 'abc' } });
    expect(response.headers.get('x-request-id')).toBe('abc');
  });

  it('gives an id of its own where the one that came cannot be passed on', async () => {
    const response = await fetch(`http://127.0.0.1:${gateway.port}/v2`, { headers: { 'x-request-id': 'caf\u00e9' } });
    expect(response.status).toBe(200);
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('without the services behind it', () => {
  it('stays up and says who is away', async () => {
    expect(await call('/v2/health/live', {}, alone)).toEqual({ status: 200, body: { live: true } });
    const error = expect.stringMatching(/inference service cannot be reached/);
    for (const path of ['/v2', '/v2/health/ready', '/v2/models/animals', '/v2/models/animals/ready']) {
      expect(await call(path, {}, alone)).toEqual({ status: 503, body: { error } });
    }
    const init = { method: 'POST', body: JSON.stringify({ inputs: [input] }) };
    expect(await call(inferPath, init, alone)).toEqual({ status: 503, body: { error } });
  });
});

describe('/metrics', () => {
  const metricsOf = async (service: RunningService) => {
    const response = await fetch(`http://127.0.0.1:${service.port}/metrics`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain('version=0.0.4');
    return response.text();
  };

  it('joins the metrics of the services that answer, each family once, and says who is up', async () => {
    const text = await metricsOf(gateway);
    const lines = text.split('\n');
    for (const [service, up] of Object.entries({
      gateway: 1,
      inference: 1,
      registry: 0,
      training: 0,
      preprocessing: 0,
    })) {
      expect(lines).toContain(`millrace_service_up{service="${service}"} ${up}`);
    }
    expect(lines.filter((line) => line === '# TYPE process_cpu_seconds_total counter')).toHaveLength(1);
    for (const service of ['gateway', 'inference']) {
      expect(text).toMatch(new RegExp(`^process_cpu_seconds_total\\{service="${service}"\\} `, 'm'));
    }
    expect(text).toContain('millrace_inference_versions{model="animals",state="READY",service="inference"} 2');
  });

  it('answers when nobody else does', async () => {
    const text = await metricsOf(alone);
    expect(text).toContain('millrace_service_up{service="inference"} 0');
    expect(text).toContain('millrace_http_requests_total{');
  });
});

describe('starting', () => {
  it('refuses memory for less than one message, and has enough for one by default', () => {
    const larger = `--message-bytes-max=${2 ** 31 - 1}`;
    expect(() => readConfig([larger, `--bodies-bytes-max=${2 ** 30}`], {})).toThrow(/bodiesBytesMax.*2147483647/);
    expect(readConfig([larger], {}).bodiesBytesMax).toBe(2 ** 31 - 1);
    expect(readConfig([], {}).bodiesBytesMax).toBe(2 ** 30);
  });

  it('refuses a port that is taken', async () => {
    const config = readConfig([`--port=${gateway.port}`], {});
    await expect(startGateway(config, silentLog)).rejects.toMatchObject({ reason: 'PORT_TAKEN' });
  });
});
