import { z } from 'zod';
import type { SettingReport, TrainingColumn } from '../step.js';
import { ascending, type ValueType } from '../values.js';

const categoriesMaxDefault = 1_000;
const categoriesMaxLimit = 10_000;

/** The JSON form of a vocabulary: sorted, all of one type, none twice. */
export const categoriesForm = z.union([z.array(z.number()).min(1), z.array(z.string()).min(1)]);

export function checkCategoriesMax(categoriesMax: number | null, report: SettingReport): void {
  if (categoriesMax !== null) {
    const isAllowed = Number.isInteger(categoriesMax) && categoriesMax >= 1 && categoriesMax <= categoriesMaxLimit;
    report.check(isAllowed, 'categories_max', `from 1 to ${categoriesMaxLimit}`, categoriesMax);
  }
}

/** How often each category of the training split occurs; sorted: numbers by size and texts by UTF-16 code unit. */
export async function fitCategories(
  categoriesMax: number | null,
  column: TrainingColumn,
): Promise<[category: number | string, count: number][]> {
  const max = categoriesMax ?? categoriesMaxDefault;
  const counts = await column.counts(max);
  if (counts.size > max) {
    const message = `Expected column ${JSON.stringify(column.name)} to have at most ${max} categories, as \`${column.field}.categories_max\` says, but it has more.`;
    throw column.refusal('categories_max', message);
  }
  const sorted = [...counts].sort(([a], [b]) => ascending(a, b));
  column.usable(sorted[0]?.[0] ?? null);
  return sorted;
}

/** The place of each category. @throws Error for categories of another type than the input, or one that stands twice */
export function placesOf(
  categories: readonly (number | string)[],
  input: ValueType,
): ReadonlyMap<number | string, number> {
  if (categories.some((category) => (typeof category === 'string') !== (input.kind === 'text'))) {
    throw new Error('categories need the type of the values');
  }
  const places = new Map(categories.map((category, place) => [category, place]));
  if (places.size !== categories.length) {
    throw new Error('a category stands twice');
  }
  return places;
}
