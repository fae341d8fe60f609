import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../support/mesh.js';
import { curl, describeWith } from './installed-tools.js';
import { classes, networkInput, pixels, TrainedMesh, testImages } from './trained-mesh.js';

const rows = 7;

describeWith(await curl(), 'curl', (program) => {
  let mesh: TrainedMesh;
  beforeAll(async () => {
    mesh = await TrainedMesh.start();
  });
  afterAll(() => mesh?.stop());

  /** HTTP status and body. */
  async function ask(target: string, ...args: string[]): Promise<[status: number, body: string]> {
    const url = `http://${mesh.address(0)}${target}`;
    const options = ['--silent', '--show-error', '--write-out', '\n%{http_code}', ...args];
    const { status, stdout, stderr } = await run(program, [...options, url]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const end = stdout.lastIndexOf('\n');
    return [Number(stdout.slice(end + 1)), stdout.slice(0, end)];
  }

  async function infer(request: object, version = ''): Promise<[status: number, body: Record<string, unknown>]> {
    const file = path.join(mesh.folder, 'request.json');
    writeFileSync(file, JSON.stringify(request));
    const [status, body] = await ask(`/v2/models/mnist${version}/infer`, '--data-binary', `@${file}`);
    return [status, JSON.parse(body)];
  }

  const values = () => Array.from(new Float32Array(networkInput(rows).buffer));
  const tensor = (data: unknown, shape = [rows, pixels]) => ({ name: 'input', datatype: 'FP32', shape, data });
  const bits = ({ outputs }: Record<string, unknown>) =>
    Buffer.from(Float32Array.from((outputs as { data: number[] }[])[0]!.data).buffer).toString('hex');

  it.each([
    '/v2/health/live',
    '/v2/health/ready',
    '/v2/models/mnist/ready',
    '/v2/models/mnist/versions/champion/ready',
  ])('gets 200 from %s', async (target) => {
    const [status] = await ask(target);
    expect(status).toBe(200);
  });

  it.each(['/v2/models/mnist/versions/2/ready', '/v2/models/minst/ready'])('gets 400 from %s', async (target) => {
    const [status] = await ask(target);
    expect(status).toBe(400);
  });

  it('infers from flat and from nested data to the same bits as over gRPC', async () => {
    const flat = values();
    const nested = Array.from({ length: rows }, (_, i) => flat.slice(i * pixels, (i + 1) * pixels));
    const expected = (await mesh.infer(rows)).toString('hex');
    for (const data of [flat, nested]) {
      const [status, answer] = await infer({ id: 'of my own', inputs: [tensor(data)] });
      expect(status).toBe(200);
      expect(answer).toMatchObject({ model_name: 'mnist', model_version: '1', id: 'of my own' });
      expect(answer.outputs).toMatchObject([{ name: 'output', datatype: 'FP32', shape: [rows, classes] }]);
      expect(bits(answer)).toBe(expected);
    }
  });

  it('infers by version and by alias', async () => {
    for (const version of ['/versions/1', '/versions/champion']) {
      const [status, answer] = await infer({ inputs: [tensor(values())] }, version);
      expect(status).toBe(200);
      expect(answer.model_version).toBe('1');
    }
  });

  it('infers from bytes alone, and takes compressed answers', async () => {
    const file = path.join(mesh.folder, 'rows.f32');
    writeFileSync(file, networkInput(rows));
    const output = path.join(mesh.folder, 'answer');
    const [status] = await ask(
      '/v2/models/mnist/infer',
      ...['--data-binary', `@${file}`, '--header', 'Inference-Header-Content-Length: 0', '--output', output],
    );
    expect(status).toBe(200);
    const probabilities = await mesh.infer(rows);
    expect(readFileSync(output).subarray(-probabilities.length)).toEqual(probabilities);
    const request = path.join(mesh.folder, 'request.json');
    writeFileSync(request, JSON.stringify({ inputs: [tensor(values())] }));
    const [, body] = await ask('/v2/models/mnist/infer', '--compressed', '--data-binary', `@${request}`);
    expect(bits(JSON.parse(body))).toBe(probabilities.toString('hex'));
  });

  it('predicts from a raw record', async () => {
    const record = { image: { content: testImages().subarray(0, pixels).toString('base64') } };
    const [status, body] = await ask('/v1/models/mnist:predict', '--json', JSON.stringify({ records: [record] }));
    expect([status, JSON.parse(body)]).toEqual([
      200,
      {
        modelVersion: 'models/mnist/versions/1',
        predictions: [{ label: expect.stringMatching(/^\d$/), scores: expect.any(Array) }],
      },
    ]);
  });

  it('is told what is wrong', async () => {
    const short = await infer({ inputs: [tensor(values().slice(1))] });
    expect(short).toEqual([400, { error: expect.stringContaining('5487') }]);
    const version = await infer({ inputs: [tensor(values())] }, '/versions/2');
    expect(version).toEqual([404, { error: expect.stringContaining("'mnist' version 2 is not found") }]);
    const [status, body] = await ask('/v2/models/mnist/infer', '--data', '{"inputs": [');
    expect(status).toBe(400);
    expect(JSON.parse(body)).toEqual({ error: expect.stringContaining('JSON') });
  });

  it('reads the metrics of all services', async () => {
    const [status, body] = await ask('/metrics');
    expect(status).toBe(200);
    for (const service of ['inference', 'registry', 'training', 'preprocessing']) {
      expect(body).toMatch(new RegExp(`^millrace_service_up\\{[^}]*service="${service}"[^}]*\\} 1$`, 'm'));
    }
  });
});
