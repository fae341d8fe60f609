import type { z } from 'zod';
import { defineStep } from '../step.js';
import { affineForm, prepareAffine } from './affine.js';

export interface StandardiseSpec {
  kind: 'standardise';
}

const form = affineForm('standardise');

export const standardise = defineStep<StandardiseSpec, z.infer<typeof form>>({
  kind: 'standardise',
  summary: 'brings numbers to mean 0 and standard deviation 1',
  takes: ['number', 'list'],
  form,
  gives: () => 'same',
  async fit(_, column) {
    const { count, mean, deviation } = await column.moments();
    return {
      kind: 'standardise',
      subtract: count === 0 ? 0 : column.usable(mean),
      divide: column.usable(deviation) || 1,
    };
  },
  prepare: prepareAffine,
});
