import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith, python } from './installed-tools.js';
import { PythonReport } from './python-report.js';
import { classes, networkInput, pixels, TrainedMesh } from './trained-mesh.js';

const batches = [1, 7, 100];
const largeBatch = 5_000;

describeWith(await python(), 'tritonclient over HTTP', (interpreter) => {
  let mesh: TrainedMesh;
  let report: PythonReport;
  /** Probabilities as our own client gets them, in hexadecimal digits, by rows of the batch. */
  const expected: Record<string, string> = {};
  let expectedLarge: Buffer;

  beforeAll(async () => {
    mesh = await TrainedMesh.start();
    for (const rows of batches) {
      expected[rows] = (await mesh.infer(rows)).toString('hex');
    }
    expectedLarge = await mesh.infer(largeBatch);
    const inputFile = path.join(mesh.folder, 'input.f32');
    writeFileSync(inputFile, networkInput(largeBatch));
    report = await PythonReport.of(interpreter, 'triton_http_client.py', [mesh.address(0), inputFile]);
  });
  afterAll(() => mesh?.stop());

  const value = (check: string) => report.value(check);

  it('finds server and models ready', () => {
    expect(value('health')).toEqual([true, true]);
    expect(value('model_ready')).toEqual({ '': true, 1: true, champion: true, 2: false });
  });

  it('reads metadata, configuration and index', () => {
    expect(value('server_metadata')).toMatchObject({
      name: 'millrace',
      extensions: expect.arrayContaining(['binary_tensor_data']),
    });
    expect(value('model_metadata')).toMatchObject({
      name: 'mnist',
      inputs: [{ name: 'input', datatype: 'FP32', shape: [-1, pixels] }],
    });
    expect(value('model_config')).toMatchObject({
      name: 'mnist',
      max_batch_size: expect.any(Number),
      input: [{ name: 'input', data_type: 'TYPE_FP32', dims: [pixels] }],
      output: [{ name: 'output', data_type: 'TYPE_FP32', dims: [classes] }],
    });
    expect(value('repository_index')).toEqual([{ name: 'mnist', version: '1', state: 'READY', reason: '' }]);
  });

  it('infers with binary data, which it does when told nothing, to the same bits as over gRPC', () => {
    const output = (rows: number) => ({
      name: 'output',
      datatype: 'FP32',
      shape: [rows, classes],
      parameters: { binary_data_size: rows * classes * 4 },
    });
    expect(value('infer_binary')).toEqual(
      Object.fromEntries(batches.map((rows) => [rows, [output(rows), expected[rows]]])),
    );
  });

  it('infers with JSON, and with one of each, to the same bits', () => {
    expect(value('infer_json')).toEqual(expected);
    expect(value('infer_mixed')).toEqual([expected[7], expected[7]]);
  });

  it('compresses what it sends and what it gets', () => {
    const answers = value('infer_compressed') as Record<string, string>;
    expect(Object.keys(answers)).toHaveLength(18);
    expect(new Set(Object.values(answers))).toEqual(new Set([expected[100]]));
  });

  it('infers a batch of 16 MB', () => {
    expect(value('infer_large')).toBe(createHash('sha256').update(expectedLarge).digest('hex'));
  });

  it('infers by version, and gets its request id back', () => {
    expect(value('infer_version')).toEqual(['mnist', '1', 'of my own']);
  });

  it('makes and reads bodies itself, and sends a tensor alone', () => {
    expect(value('infer_request_body')).toBe(expected[7]);
    expect(value('infer_raw_body')).toBe(expected[7]);
  });

  it('infers asynchronously and with asyncio', () => {
    expect(value('async_infer')).toEqual(expected);
    const once = batches.map((rows) => expected[rows]);
    expect(value('asyncio_infer')).toEqual([...once, ...once, ...once, ...once]);
  });

  it.each([
    ['refuses_unknown_model', '404', "unknown model: 'minst'"],
    ['refuses_wrong_shape', '400', 'expected [rows, 784]'],
    ['refuses_number_that_is_none', '400', 'not JSON'],
    ['refuses_cuda_memory', '501', ''],
  ])('%s with %s', (check, status, words) => {
    expect(value(check)).toEqual({ status, message: expect.stringContaining(words) });
  });

  it('is served on after refusals', () => {
    expect(value('works_after_refusals')).toBe(expected[1]);
  });
});
