import { z } from 'zod';
import { defineStep } from '../step.js';
import { categoriesForm, checkCategoriesMax, fitCategories, placesOf } from './categories.js';

export interface OneHotSpec {
  kind: 'oneHot';
  categoriesMax: number | null;
  unseenPlace: boolean;
}

const form = z.strictObject({
  kind: z.literal('oneHot'),
  /** One feature a category, in this order. */
  categories: categoriesForm,
  /** Whether one more feature, the last, is 1 for a category that is not among them. */
  unseenPlace: z.boolean().optional(),
});

export const oneHot = defineStep<OneHotSpec, z.infer<typeof form>>({
  kind: 'oneHot',
  summary: 'one feature a category; an unseen one gives zeros, or has a feature of its own',
  takes: ['number', 'text'],
  form,
  gives: () => 'features',
  check: ({ categoriesMax }, _, report) => checkCategoriesMax(categoriesMax, report),
  async fit({ categoriesMax, unseenPlace }, column) {
    const categories = (await fitCategories(categoriesMax, column)).map(([category]) => category);
    const fitted = { kind: 'oneHot' as const, categories: categories as number[] | string[] };
    return unseenPlace ? { ...fitted, unseenPlace } : fitted;
  },
  prepare({ categories, unseenPlace = false }, input) {
    const places = placesOf(categories, input);
    const unseen = unseenPlace ? categories.length : undefined;
    // Half a pair of UTF-16 has no UTF-8.
    const areTexts = categories.every((category) => Buffer.from(`${category}`).toString() === category);
    return {
      output: null,
      ...(areTexts ? { inEngine: { categories: categories as string[], hasUnseen: unseenPlace } } : {}),
      names: [...categories.map((category) => `=${category}`), ...(unseenPlace ? ['.unseen'] : [])],
      write({ values }, { values: target, rowWidth, offset }) {
        for (let i = 0; i < values.length; i++) {
          const place = places.get(values[i]!) ?? unseen;
          if (place !== undefined) {
            target[i * rowWidth + offset + place] = 1;
          }
        }
      },
    };
  },
});
