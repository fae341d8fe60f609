import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root } from '../support/mesh.js';
import { describeWith, python, pythonStubs } from './installed-tools.js';
import { PythonReport, runPython } from './python-report.js';
import { pixels, TrainedMesh, testImages } from './trained-mesh.js';

interface Followed {
  job: string;
  events: { sequence: string; time: string; step?: object; epoch?: object; stateChange?: object }[];
  late: number[];
}

describeWith(await python(), 'stubs generated for Python', (interpreter) => {
  let mesh: TrainedMesh;
  let report: PythonReport;

  let stubs: string;

  beforeAll(async () => {
    stubs = await pythonStubs(interpreter);
    mesh = await TrainedMesh.start();
    const pixelsFile = path.join(mesh.folder, 'pixels.u8');
    writeFileSync(pixelsFile, testImages().subarray(0, 5 * pixels));
    const args = [mesh.address(4), mesh.address(1), pixelsFile];
    report = await PythonReport.of(interpreter, 'stubs_client.py', args, stubs);
  });
  afterAll(() => mesh?.stop());

  const value = (check: string) => report.value(check);

  it('create a job and follow it to its end: every event once, in order', () => {
    const { events } = value('follow') as Followed;
    expect(events.map(({ sequence }) => Number(sequence))).toEqual(events.map((_, i) => i + 1));
    expect(events[0]).toMatchObject({ stateChange: { state: 'STATE_QUEUED' } });
    expect(events.filter(({ epoch }) => epoch)).toMatchObject([
      { epoch: { epoch: 1, epochs: 2, loss: expect.any(Number), validationAccuracy: expect.any(Number) } },
      { epoch: { epoch: 2, epochs: 2, loss: expect.any(Number), validationAccuracy: expect.any(Number) } },
    ]);
    expect(events.at(-1)).toMatchObject({
      stateChange: { state: 'STATE_SUCCEEDED', modelVersion: 'models/from-python/versions/1' },
    });
  });

  it('see the same events as our own client', async () => {
    const { job, events } = value('follow') as Followed;
    const kinds: [number, string | undefined][] = [];
    for await (const { sequence, event } of mesh.millrace.training.watchTrainingJob({ name: job })) {
      kinds.push([sequence, event]);
    }
    const kindOf = ({ sequence: _, time: __, ...event }: Followed['events'][number]) => Object.keys(event)[0];
    expect(events.map((event) => [Number(event.sequence), kindOf(event)])).toEqual(kinds);
  });

  it('join a stream late without missing or repeating an event', () => {
    const { events, late } = value('follow') as Followed;
    expect(late).toEqual(events.slice(3).map(({ sequence }) => Number(sequence)));
  });

  it('get the same job for the same request id', () => {
    expect(value('same_request_same_job')).toBe((value('follow') as Followed).job);
  });

  it('cancel a job and see it end', () => {
    expect(value('cancel')).toBe('STATE_CANCELLED');
  });

  it('predict raw images as our own client does', async () => {
    const images = Array.from({ length: 5 }, (_, i) => testImages().subarray(i * pixels, (i + 1) * pixels));
    const { predictions } = await mesh.millrace.prediction.predict({
      model: 'models/mnist',
      records: images.map((content) => ({ values: { image: { content } } })),
    });
    expect(value('predict_images')).toEqual({
      modelVersion: 'models/mnist/versions/1',
      predictions: predictions.map(({ label, scores, labels, numbers }) => ({ label, scores, labels, numbers })),
    });
    const [first] = predictions;
    expect(value('predict_numbers')).toMatchObject({ predictions: [{ label: first!.label, scores: first!.scores }] });
  });

  it('are told every field of a spec that is wrong', () => {
    expect(value('refuses_spec')).toMatchObject({
      code: 'INVALID_ARGUMENT',
      fields: expect.arrayContaining(['spec.network.layers[0].units', 'spec.optimizer.adam.learning_rate']),
    });
  });

  it('are told which column of which record is wrong', () => {
    expect(value('refuses_record')).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('picture'),
    });
  });

  it.each(['clients/README.md', 'clients/python/README.md'])('run the code of %s', async (readme) => {
    const { pipelines } = await mesh.millrace.preprocessing.listPipelines({ pageSize: 1 });
    const args = [path.join(root, readme), String(mesh.portBase), pipelines[0]!.name];
    const output = await runPython(interpreter, 'readme_code.py', args, stubs);
    const blocks = [...readFileSync(path.join(root, readme), 'utf8').matchAll(/^```python$/gm)];
    expect(output).toContain(`block ${blocks.length} ran`);
  });

  it('are told that a model is unknown', () => {
    expect(value('refuses_model')).toMatchObject({ code: 'NOT_FOUND', reason: 'MODEL_NOT_FOUND', fields: [] });
  });
});
