import { z } from 'zod';
import { defineStep, mapToNumber } from '../step.js';
import { categoriesForm, checkCategoriesMax, fitCategories, placesOf } from './categories.js';

export interface FrequencySpec {
  kind: 'frequency';
  categoriesMax: number | null;
}

const form = z.strictObject({
  kind: z.literal('frequency'),
  categories: categoriesForm,
  /** Of the training split, one a category. */
  shares: z.array(z.number()),
});

export const frequency = defineStep<FrequencySpec, z.infer<typeof form>>({
  kind: 'frequency',
  summary: 'the share of the training split that a category has; 0 for an unseen one',
  takes: ['number', 'text'],
  form,
  gives: () => 'number',
  check: ({ categoriesMax }, _, report) => checkCategoriesMax(categoriesMax, report),
  async fit({ categoriesMax }, column) {
    const counts = await fitCategories(categoriesMax, column);
    const total = counts.reduce((sum, [, count]) => sum + count, 0);
    const categories = counts.map(([category]) => category) as number[] | string[];
    return { kind: 'frequency', categories, shares: counts.map(([, count]) => count / total) };
  },
  prepare({ categories, shares }, input) {
    const places = placesOf(categories, input);
    if (shares.length !== categories.length) {
      throw new Error('each category needs a share');
    }
    return mapToNumber((value) => {
      const place = places.get(value);
      return place === undefined ? 0 : shares[place]!;
    });
  },
});
