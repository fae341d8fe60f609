import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../services/gateway/config.js';
import { startGateway } from '../../services/gateway/service.js';
import type { RunningService } from '../../services/platform/main.js';
import { expectedOutput, inputWidth, modelFiles, publish } from '../support/published-model.js';
import { Serving, silentLog } from '../support/serving.js';
import { tempFolder } from '../support/temp-folder.js';

const dataDir = tempFolder();
let serving: Serving;
let gateway: RunningService;

beforeAll(async () => {
  serving = await Serving.start(dataDir);
  await publish(serving.registry, 'animals', modelFiles({ seed: 2 }));
  await serving.serves('animals', '', 1);
  const address = `--inference-address=127.0.0.1:${serving.service.port}`;
  gateway = await startGateway(readConfig(['--port=0', address], {}), silentLog);
});
afterAll(async () => {
  await gateway?.stop();
  await serving?.stop();
});

const post = (body: string | Buffer, headers: Record<string, string> | Headers) =>
  fetch(`http://127.0.0.1:${gateway.port}/v2/models/animals/infer`, { method: 'POST', body, headers });

const rowsOf = (count: number) =>
  Array.from({ length: count }, (_, row) => Array.from({ length: inputWidth }, (_, i) => ((row + i) % 8) / 8));
const input = { name: 'input', shape: [1, inputWidth], datatype: 'FP32' };

describe('the binary tensor extension', () => {
  const rows = Float32Array.from(rowsOf(2).flat());
  const expected = Buffer.from(expectedOutput({ seed: 2 }, rows).buffer);
  const bytes = Buffer.from(rows.buffer);
  const binaryInput = { ...input, shape: [2, inputWidth], data: undefined, parameters: { binary_data_size: 128 } };

  async function infer(json: unknown, binary: Buffer, headers: Record<string, string> = {}) {
    const head = json === null ? '' : JSON.stringify(json);
    const response = await post(gzipSync(Buffer.concat([Buffer.from(head), binary])), {
      'inference-header-content-length': String(head.length),
      'content-encoding': 'gzip',
      ...headers,
    });
    const body = Buffer.from(await response.arrayBuffer());
    const length = Number(response.headers.get('inference-header-content-length') ?? body.length);
    return { response, answer: JSON.parse(body.toString('utf8', 0, length)), binary: body.subarray(length) };
  }

  it.each<[string, Record<string, unknown>, string, RegExp]>([
    ['without its header', { binary_data_size: 64 }, '', /Inference-Header-Content-Length/],
    ['that is longer than the body', { binary_data_size: 68 }, 'right', /64 are left.*received 68/],
    ['of a size that is none', { binary_data_size: -1 }, 'right', /inputs\[0\].*received -1/],
    ['that is shorter than the body', { binary_data_size: 60 }, 'right', /4 bytes behind/],
    ['of another size than its shape', { binary_data_size: 64 }, 'right', /Expected/],
    ['beside data', { binary_data_size: 64, data: [1] }, 'right', /one of `data`/],
    ['behind a header longer than the body', { binary_data_size: 64 }, '1000000', /Inference-Header-Content-Length/],
    ['behind a header that is no number', { binary_data_size: 64 }, '0x10', /Inference-Header-Content-Length/],
  ])('refuses binary data %s', async (name, { data, ...parameters }, header, words) => {
    const shape = name.endsWith('shape') ? [2, inputWidth] : [1, inputWidth];
    const json = JSON.stringify({ inputs: [{ name: 'input', datatype: 'FP32', shape, parameters, data }] });
    const body = Buffer.concat([Buffer.from(json), Buffer.alloc(64)]);
    const length = header === 'right' ? String(json.length) : header;
    const headers = new Headers(header === '' ? {} : { 'inference-header-content-length': length });
    const response = await post(header === '' ? json : body, headers);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: expect.stringMatching(words) });
  });

  it('takes a tensor behind the JSON, and answers JSON', async () => {
    const { response, answer, binary } = await infer({ inputs: [binaryInput] }, bytes);
    expect(response.headers.get('content-type')).toMatch('application/json');
    expect(answer.outputs[0].data).toEqual([...expectedOutput({ seed: 2 }, rows)]);
    expect(binary).toHaveLength(0);
  });

  it.each([
    ['all outputs', { parameters: { binary_data_output: true } }],
    ['one output', { outputs: [{ name: 'output', parameters: { binary_data: true } }] }],
  ])('answers %s behind the JSON', async (_, asked) => {
    const { response, answer, binary } = await infer({ inputs: [binaryInput], ...asked }, bytes);
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(answer.outputs).toEqual([
      { name: 'output', datatype: 'FP32', shape: [2, 3], parameters: { binary_data_size: 24 } },
    ]);
    expect(binary).toEqual(expected);
  });

  it('lets one output say otherwise than all', async () => {
    const outputs = [{ name: 'output', parameters: { binary_data: false } }];
    const { answer } = await infer({ inputs: [binaryInput], outputs, parameters: { binary_data_output: true } }, bytes);
    expect(answer.outputs[0].data).toHaveLength(6);
  });

  it('takes a body that is one tensor, whose rows follow from its size', async () => {
    const { answer, binary } = await infer(null, bytes);
    expect(answer.outputs[0].shape).toEqual([2, 3]);
    expect(binary).toEqual(expected);
    const { answer: refusal } = await infer(null, bytes.subarray(1));
    expect(refusal).toEqual({ error: expect.stringMatching(/multiple of 64 bytes.*received 127/) });
  });

  it('carries tensors of megabytes', async () => {
    const count = 16_000;
    const many = new Float32Array(count * inputWidth).map((_, i) => (i % 13) / 13);
    const head = { ...binaryInput, shape: [count, inputWidth], parameters: { binary_data_size: many.byteLength } };
    const asked = { inputs: [head], parameters: { binary_data_output: true } };
    for (const headers of [{ 'accept-encoding': 'identity' }, { 'accept-encoding': 'deflate' }]) {
      const { response, binary } = await infer(asked, Buffer.from(many.buffer), headers);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-encoding')).toBe(
        headers['accept-encoding'] === 'deflate' ? 'deflate' : null,
      );
      expect(binary.equals(Buffer.from(expectedOutput({ seed: 2 }, many).buffer))).toBe(true);
    }
  });
});

describe('compressed answers', () => {
  it.each(['gzip', 'deflate'])('come as %s when they are asked for', async (encoding) => {
    const body = JSON.stringify({ inputs: [{ ...input, shape: [100, inputWidth], data: rowsOf(100) }] });
    const ask = (accepted: string) => post(body, { 'accept-encoding': accepted });
    const compressed = await ask(encoding);
    const plain = await ask('identity');
    expect([compressed.headers.get('content-encoding'), plain.headers.get('content-encoding')]).toEqual([
      encoding,
      null,
    ]);
    expect(await compressed.json()).toEqual(await plain.json());
  });
});
