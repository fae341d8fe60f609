import { readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { loadOnnx } from '../../services/inference/onnx/load-onnx.js';
import { tempFolder } from '../support/temp-folder.js';
import { describeWith, python } from './installed-tools.js';
import { runPython } from './python-report.js';

/** A model that the onnx package made, and what ONNX Runtime answered. */
interface Answered {
  name: string;
  file: string;
  calls: { rows: number; inputs: string[]; outputs: { type: string; bytes: string }[] }[];
}

/**
 * Both sum in float32, in orders of their own, through at most some tens of operators; ONNX Runtime's sigmoid, tanh and
 * softmax are approximations as ours are.
 */
const tolerance = 2e-5;

describeWith(await python(), 'onnxruntime', (interpreter) => {
  const folder = tempFolder();
  let models: Answered[];

  beforeAll(async () => {
    models = JSON.parse(await runPython(interpreter, 'onnx_models.py', [folder]));
  }, 120_000);

  it('has answered models of every kind', () => {
    expect(models.length).toBeGreaterThan(80);
    expect(new Set(models.map(({ name }) => name.replace(/,? .*/, ''))).size).toBeGreaterThan(6);
  });

  it('and the engine answer alike', () => {
    const differences = models.flatMap(({ name, file, calls }) => {
      const executable = loadOnnx(readFileSync(path.join(folder, file)));
      return calls.flatMap(({ rows, inputs, outputs }) => {
        const answers = executable.execute(inputs.map(bytesOf), rows);
        expect(answers.length, name).toBe(outputs.length);
        return outputs.flatMap(({ type, bytes }, index) => {
          const difference = distance(type, answers[index]!, bytesOf(bytes));
          return difference <= tolerance ? [] : [`${name}, ${rows} rows, output ${index} (${type}): ${difference}`];
        });
      });
    });
    expect(differences).toEqual([]);
  });
});

const bytesOf = (hexadecimal: string): Uint8Array => Uint8Array.from(Buffer.from(hexadecimal, 'hex'));

/** The largest difference, relative where numbers are above 1; of all but float32 the bits must be the same. */
function distance(type: string, actual: Uint8Array, expected: Uint8Array): number {
  if (type !== 'float32') {
    return Buffer.compare(actual, expected) === 0 ? 0 : Number.POSITIVE_INFINITY;
  }
  const [ours, theirs] = [actual, expected].map((bytes) => new Float32Array(Uint8Array.from(bytes).buffer));
  if (ours!.length !== theirs!.length) {
    return Number.POSITIVE_INFINITY;
  }
  return ours!.reduce((most, number, index) => {
    const other = theirs![index]!;
    return Math.max(most, Math.abs(number - other) / Math.max(1, Math.abs(other)));
  }, 0);
}
