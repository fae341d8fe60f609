import { z } from 'zod';
import { defineStep, mapToNumber } from '../step.js';
import { categoriesForm, checkCategoriesMax, fitCategories, placesOf } from './categories.js';

export interface OrdinalSpec {
  kind: 'ordinal';
  categoriesMax: number | null;
}

const form = z.strictObject({ kind: z.literal('ordinal'), categories: categoriesForm });

export const ordinal = defineStep<OrdinalSpec, z.infer<typeof form>>({
  kind: 'ordinal',
  summary: 'the index of a category, as an embedding reads it; unseen ones share the index after the last',
  takes: ['number', 'text'],
  form,
  gives: () => 'number',
  check: ({ categoriesMax }, _, report) => checkCategoriesMax(categoriesMax, report),
  async fit({ categoriesMax }, column) {
    const categories = (await fitCategories(categoriesMax, column)).map(([category]) => category);
    return { kind: 'ordinal', categories: categories as number[] | string[] };
  },
  prepare({ categories }, input) {
    const places = placesOf(categories, input);
    return mapToNumber((value) => places.get(value) ?? categories.length);
  },
});
