import type { z } from 'zod';
import { extremesOf } from '../statistics.js';
import { defineStep, type TrainingColumn } from '../step.js';
import { affineForm, prepareAffine } from './affine.js';

export interface ScaleSpec {
  kind: 'scale';
  minimum: number | null;
  maximum: number | null;
}

const form = affineForm('scale');

export const scale = defineStep<ScaleSpec, z.infer<typeof form>>({
  kind: 'scale',
  summary: 'brings numbers into [0, 1]',
  takes: ['number', 'list'],
  form,
  gives: () => 'same',
  check({ minimum, maximum }, _, report) {
    const isGiven = (value: number | null, name: string) =>
      value === null || report.check(Number.isFinite(value), name, 'finite', value);
    const minimumOk = isGiven(minimum, 'minimum');
    const maximumOk = isGiven(maximum, 'maximum');
    if (minimumOk && maximumOk && minimum !== null && maximum !== null) {
      report.check(maximum > minimum, 'maximum', `greater than \`minimum\`, ${minimum},`, maximum);
    }
  },
  async fit(spec, column) {
    const { minimum, maximum } = await rangeOf(spec, column);
    if (minimum > maximum) {
      const message = `Expected \`${column.field}\` to have a minimum below the maximum but they are ${minimum} and ${maximum} with the training split's.`;
      throw column.refusal('', message);
    }
    // A constant column becomes 0: divided by 1, as there is nothing to divide by.
    return { kind: 'scale', subtract: minimum, divide: column.usable(maximum - minimum) || 1 };
  },
  prepare: prepareAffine,
});

async function rangeOf({ minimum, maximum }: ScaleSpec, column: TrainingColumn) {
  if (minimum !== null && maximum !== null) {
    return { minimum, maximum };
  }
  const seen = await extremesOf(() => column.numbers());
  return { minimum: minimum ?? seen.minimum, maximum: maximum ?? seen.maximum };
}
