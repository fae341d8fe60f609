import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith, python } from './installed-tools.js';
import { PythonReport } from './python-report.js';
import { classes, networkInput, pixels, TrainedMesh } from './trained-mesh.js';

const batches = [1, 7, 100];
const largeBatch = 5_000;

describeWith(await python(), 'tritonclient', (interpreter) => {
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
    report = await PythonReport.of(interpreter, 'triton_client.py', [mesh.address(1), inputFile]);
  });
  afterAll(() => mesh?.stop());

  const value = (check: string) => report.value(check);

  it('finds the server live and ready', () => {
    expect(value('live')).toBe(true);
    expect(value('ready')).toBe(true);
  });

  it('finds a model ready by name, version and alias, and not ready when it is unknown', () => {
    expect(value('model_ready')).toEqual({ '': true, 1: true, champion: true, 2: false, challenger: false });
    expect(value('unknown_model_ready')).toBe(false);
  });

  it('reads the metadata of the server', () => {
    const metadata = value('server_metadata');
    expect(metadata).toMatchObject({ name: 'millrace', version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  });

  it('reads the metadata of a model', () => {
    expect(value('model_metadata')).toEqual({
      name: 'mnist',
      versions: ['1'],
      platform: 'millrace_dense',
      inputs: [{ name: 'input', datatype: 'FP32', shape: ['-1', String(pixels)] }],
      outputs: [{ name: 'output', datatype: 'FP32', shape: ['-1', String(classes)] }],
    });
  });

  it('reads the configuration of a model', () => {
    expect(value('model_config')).toMatchObject({
      name: 'mnist',
      backend: 'millrace',
      max_batch_size: expect.any(Number),
      input: [{ name: 'input', data_type: 'TYPE_FP32', dims: [String(pixels)] }],
      output: [{ name: 'output', data_type: 'TYPE_FP32', dims: [String(classes)] }],
    });
  });

  it('lists the models', () => {
    expect(value('repository_index')).toEqual({ models: [{ name: 'mnist', version: '1', state: 'READY' }] });
  });

  it.each(batches)('infers a batch of %d to the same bits as our own client', (rows) => {
    const answers = value('infer_batches') as Record<string, unknown>;
    expect(answers[rows]).toEqual({ shape: [rows, classes], dtype: 'float32', output: expected[rows] });
  });

  it('infers a batch of 16 MB', () => {
    expect(value('infer_large')).toBe(createHash('sha256').update(expectedLarge).digest('hex'));
  });

  it('infers by version and by alias', () => {
    const answer = ['mnist', '1', expected[1]];
    expect(value('infer_versions')).toEqual({ '': answer, 1: answer, champion: answer });
  });

  it('gets the output that it asks for', () => {
    expect(value('infer_requested_output')).toEqual([['output'], expected[7]]);
  });

  it('gets its request id back', () => {
    expect(value('infer_request_id')).toBe('of my own');
  });

  it('infers with compressed requests', () => {
    expect(value('infer_compressed')).toEqual({ gzip: expected[100], deflate: expected[100] });
  });

  it('infers within a deadline', () => {
    expect(value('infer_deadline_kept')).toBe(expected[1]);
  });

  it('infers asynchronously', () => {
    expect(value('async_infer')).toEqual(expected);
  });

  it('infers many at once with asyncio', () => {
    const once = batches.map((rows) => expected[rows]);
    expect(value('asyncio_infer')).toEqual([...once, ...once, ...once, ...once]);
  });

  it('infers from typed contents to the same bits as from raw ones', () => {
    expect(value('typed_contents')).toBe(expected[7]);
  });

  it.each([
    ['refuses_unknown_model', 'StatusCode.NOT_FOUND', "unknown model: 'minst'"],
    ['refuses_unknown_version', 'StatusCode.NOT_FOUND', "'mnist' version 2 is not found"],
    ['refuses_unknown_model_metadata', 'StatusCode.NOT_FOUND', "unknown model: 'minst'"],
    ['refuses_wrong_shape', 'StatusCode.INVALID_ARGUMENT', 'expected [rows, 784]'],
    ['refuses_wrong_datatype', 'StatusCode.INVALID_ARGUMENT', 'expects FP32'],
    ['refuses_wrong_input_name', 'StatusCode.INVALID_ARGUMENT', 'its only input is "input"'],
    ['refuses_wrong_output_name', 'StatusCode.INVALID_ARGUMENT', 'its only output is "output"'],
    ['refuses_missing_input', 'StatusCode.INVALID_ARGUMENT', 'it is missing'],
    ['refuses_short_raw_contents', 'StatusCode.INVALID_ARGUMENT', 'Expected 3136 bytes'],
  ])('%s with %s', (check, status, words) => {
    expect(value(check)).toEqual({ status, message: expect.stringContaining(words) });
  });

  it('is told that there is no CUDA memory, and is served on', () => {
    expect(value('refuses_cuda_memory')).toBe('StatusCode.UNIMPLEMENTED');
    expect(value('works_after_refusals')).toBe(expected[1]);
  });
});
