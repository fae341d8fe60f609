import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeValues } from '../../../services/pipeline/decode-values.js';
import { definitionOf, type FittedStep, type StepSpec, type ValueType } from '../../../services/pipeline/index.js';
import { type ColumnValues, numberValues } from '../../../services/pipeline/values.js';
import { root } from '../../support/mesh.js';

interface GoldenCase {
  name: string;
  steps: StepSpec[];
  /** Base64. */
  file: string;
  values: number[];
}

const { cases } = JSON.parse(readFileSync(path.join(root, 'test/golden/sounds.json'), 'utf8')) as {
  cases: GoldenCase[];
};

async function run({ steps, file }: GoldenCase): Promise<Float64Array> {
  let input: ValueType = { kind: 'binary' };
  let values: ColumnValues | null = null;
  for (const step of steps) {
    const definition = definitionOf(step);
    const fitted: FittedStep = await definition.fit(step, { input } as never);
    const prepared = definition.prepare(fitted, input);
    if ('decode' in prepared) {
      const { items } = await decodeValues(prepared, [Buffer.from(file, 'base64')]);
      values = numberValues(items as Float64Array, prepared.output.width, null);
    } else if ('apply' in prepared) {
      values = prepared.apply(values!, null);
    }
    input = prepared.output!;
  }
  return values!.values as Float64Array;
}

describe('steps of sound', () => {
  // Golden values have 12 digits. Decibels and coefficients are up to a few hundred; samples are decoded to the last bit.
  it.each(cases)('give what libsndfile, SciPy and librosa give: $name', async (golden) => {
    const received = await run(golden);
    expect(received.length).toBe(golden.values.length);
    const distances = golden.values.map((value, i) => Math.abs(value - received[i]!) / Math.max(1, Math.abs(value)));
    expect(Math.max(...distances)).toBeLessThan(golden.steps.length === 1 ? 1e-12 : 1e-8);
  });
});
