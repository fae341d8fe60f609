import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith, python } from './installed-tools.js';
import { PythonReport } from './python-report.js';
import { classes, networkInput, TrainedMesh } from './trained-mesh.js';

const rows = 20;

describeWith(await python(), 'tritonclient', (interpreter) => {
  let mesh: TrainedMesh;
  let report: PythonReport;
  /** Probabilities of each row, as our own client gets them for the row alone, in hexadecimal digits. */
  let expected: string[];

  beforeAll(async () => {
    mesh = await TrainedMesh.start();
    const bytes = (await mesh.infer(rows)).toString('hex');
    const digits = bytes.length / rows;
    expected = Array.from({ length: rows }, (_, i) => bytes.slice(i * digits, (i + 1) * digits));
    const inputFile = path.join(mesh.folder, 'input.f32');
    writeFileSync(inputFile, networkInput(rows));
    report = await PythonReport.of(interpreter, 'triton_stream_client.py', [mesh.address(1), inputFile]);
  });
  afterAll(() => mesh?.stop());

  const value = (check: string) => report.value(check);
  const wrongShape = expect.stringContaining('expected [rows, 784]');

  it('gets the answers of a stream in order', () => {
    expect(value('stream_answers_in_order')).toEqual(expected.map((output, i) => ({ id: String(i), output })));
  });

  it('is told of one wrong request and uses its stream on', () => {
    const answer = (id: string) => ({ id, output: expected[0] });
    const wrong = { status: null, message: wrongShape };
    expect(value('stream_goes_on_after_an_error')).toEqual([answer('before'), wrong, answer('after'), answer('later')]);
  });

  it('sees its stream end with a status where it asked for that', () => {
    expect(value('stream_ends_with_status')).toEqual([
      { id: 'before', output: expected[0] },
      { status: 'StatusCode.INVALID_ARGUMENT', message: wrongShape },
    ]);
  });

  it('is told in its stream that a model is unknown', () => {
    expect(value('stream_of_unknown_model')).toMatchObject({
      message: expect.stringContaining("unknown model: 'minst'"),
    });
  });

  it('knows the final answer to a request', () => {
    expect(value('stream_marks_final_answers')).toBe(true);
  });

  it('streams with asyncio', () => {
    expect(value('asyncio_stream')).toEqual(expected.slice(0, 3).map((output, i) => ({ id: String(i), output })));
  });

  it('gets the likeliest classes with their labels', () => {
    const probabilities = expected.slice(0, 2).map((output) => {
      const bytes = Buffer.from(output, 'hex');
      return Array.from({ length: classes }, (_, i) => bytes.readFloatLE(4 * i));
    });
    const { shape, values } = value('classification') as { shape: number[]; values: string[] };
    expect(shape).toEqual([2, 3]);
    for (const [i, text] of values.entries()) {
      const row = probabilities[Math.floor(i / 3)]!;
      const likeliest = row.map((_, index) => index).sort((a, b) => row[b]! - row[a]!);
      const [probability, index, label] = text.split(':');
      expect([Number(index), label]).toEqual([likeliest[i % 3], String(likeliest[i % 3])]);
      // Triton prints six digits after the point.
      expect(Number(probability)).toBeCloseTo(row[likeliest[i % 3]!]!, 5);
    }
    expect(value('classification_of_all')).toEqual([1, classes]);
  });

  it.each(['priority', 'timeout', 'sequence', 'named sequence', 'custom'])('sends the parameter %s along', (name) => {
    expect((value('parameters') as Record<string, unknown>)[name]).toBe(expected[0]);
  });
});
