import { z } from 'zod';
import { defineStep } from '../step.js';
import { categoriesForm, checkCategoriesMax, fitCategories, placesOf } from './categories.js';

export interface OneHotSpec {
  kind: 'oneHot';
  categoriesMax: number | null;
}

/** One output a category, in this order. */
const form = z.strictObject({ kind: z.literal('oneHot'), categories: categoriesForm });

export const oneHot = defineStep<OneHotSpec, z.infer<typeof form>>({
  kind: 'oneHot',
  summary: 'one feature a category',
  takes: ['number', 'text'],
  form,
  gives: () => 'features',
  check: ({ categoriesMax }, _, report) => checkCategoriesMax(categoriesMax, report),
  async fit({ categoriesMax }, column) {
    const categories = (await fitCategories(categoriesMax, column)).map(([category]) => category);
    return { kind: 'oneHot', categories: categories as number[] | string[] };
  },
  prepare({ categories }, input) {
    const places = placesOf(categories, input);
    return {
      output: null,
      names: categories.map((category) => `=${category}`),
      write({ values }, { values: target, rowWidth, offset }) {
        for (let i = 0; i < values.length; i++) {
          const place = places.get(values[i]!);
          if (place !== undefined) {
            target[i * rowWidth + offset + place] = 1;
          }
        }
      },
    };
  },
});
