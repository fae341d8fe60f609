import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../services/gateway/config.js';
import { startGateway } from '../../services/gateway/service.js';
import type { RunningService } from '../../services/platform/main.js';
import { ApiDocument } from '../support/api-document.js';
import { root } from '../support/mesh.js';
import { silentLog } from '../support/serving.js';
import { sourceFiles } from '../support/source-files.js';

let gateway: RunningService;
let document: ApiDocument;

beforeAll(async () => {
  gateway = await startGateway(readConfig(['--port=0', '--inference-address=127.0.0.1:1'], {}), silentLog);
  document = await ApiDocument.of(gateway.port);
});
afterAll(() => gateway?.stop());

describe('the OpenAPI document', () => {
  it('is one', async () => {
    const { valid, errors } = await new Validator().validate({ ...document.json });
    expect(valid, JSON.stringify(errors)).toBe(true);
  });

  it('has every operation under a name of its own', () => {
    const names = Object.values(document.json.paths).flatMap((path) =>
      Object.values(path).map(({ operationId }) => operationId),
    );
    expect(names.length).toBeGreaterThan(30);
    expect(new Set(names).size).toBe(names.length);
  });

  it('has every route: there is one place where the gateway makes them', () => {
    const files = sourceFiles(root, 'services/gateway').filter(({ text }) =>
      /\bapp\.(get|post|put|route|all)\(/.test(text),
    );
    expect(files.map(({ path }) => path)).toEqual(['services/gateway/routes.ts']);
  });

  it('has no route that is not there', async () => {
    for (const [path, operations] of Object.entries(document.json.paths)) {
      for (const method of Object.keys(operations)) {
        const url = `http://127.0.0.1:${gateway.port}${path.replaceAll(/\{\w+\}/g, 'm')}`;
        const response = await fetch(url, { method: method.toUpperCase() });
        expect(await response.text(), `${method} ${path}`).not.toContain('There is no');
      }
    }
  });

  const input = { name: 'x', shape: [1, 2], datatype: 'FP32', data: [[1, 2]] };

  it.each<[boolean, string, string, unknown]>([
    [true, '/v2/models/m/infer', 'an inference', { inputs: [input] }],
    [true, '/v2/models/m/infer', 'parameters', { inputs: [], parameters: { a: 1, b: 'c', d: true } }],
    [true, '/v2/models/m/infer', 'binary data', { inputs: [{ ...input, data: undefined }] }],
    [false, '/v2/models/m/infer', 'no inputs', {}],
    [false, '/v2/models/m/infer', 'a misspelled key', { inputs: [input], output: [] }],
    [false, '/v2/models/m/infer', 'a negative size', { inputs: [{ ...input, shape: [-1] }] }],
    [false, '/v2/models/m/infer', 'a parameter of another kind', { inputs: [], parameters: { a: [1] } }],
    [false, '/v2/models/m/infer', 'data that is no array', { inputs: [{ ...input, data: 1 }] }],
    [true, '/v2/repository/index', 'nothing', {}],
    [false, '/v2/systemsharedmemory/region/r/register', 'a region without a key', { byte_size: 1 }],
    [true, '/v1/models/m:predict', 'records', { records: [{ a: 1, b: null, c: [1], d: { content: 'AA==' } }] }],
    [false, '/v1/models/m:predict', 'records of another form', { records: [{ a: {} }] }],
  ])('allows (%s) at %s %s, as the gateway does', async (allowed, path, _, body) => {
    const json = JSON.stringify(body);
    expect(document.allows('POST', path, JSON.parse(json))).toBe(allowed);
    // Nothing stands behind this gateway: what it takes it cannot hand on.
    const { status } = await fetch(`http://127.0.0.1:${gateway.port}${path}`, { method: 'POST', body: json });
    const isBinary = _ === 'binary data';
    expect(status).toBe(allowed && !isBinary ? 503 : 400);
  });
});
