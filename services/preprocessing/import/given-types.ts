import { numberTypes } from '../../pipeline/index.js';
import { invalidField } from '../../platform/errors.js';
import { nearest } from '../../platform/nearest-name.js';
import { type ColumnType, typeName } from '../column.js';
import { timeTypes } from './time-texts.js';

/** Types that a caller has given to columns by name. */
export type GivenTypes = ReadonlyMap<string, ColumnType>;

const types: ColumnType[] = [
  { kind: 'boolean' },
  ...numberTypes.map((type) => ({ kind: 'number', type }) as const),
  { kind: 'text', large: false },
  ...timeTypes,
];
const typesByName = new Map(types.map((type) => [typeName(type), type]));

/** Reads type names in Arrow's words, as `typeName` writes them. */
export function parseGivenTypes(given: Readonly<Record<string, string>>): GivenTypes {
  const parsed = new Map<string, ColumnType>();
  for (const [column, name] of Object.entries(given)) {
    const type = typesByName.get(name);
    if (!type) {
      const names = [...typesByName.keys()];
      const guess = nearest(name, names);
      const hint = guess ? `; did you mean ${guess}?` : '.';
      const field = `types[${JSON.stringify(column)}]`;
      throw invalidField(
        field,
        `Expected \`${field}\` to be ${names.slice(0, -1).join(', ')} or ${names.at(-1)} but received ${JSON.stringify(name)}${hint}`,
      );
    }
    parsed.set(column, type);
  }
  return parsed;
}

/** Refuses a type that was given to a column which is not there. */
export function checkGivenColumns(given: GivenTypes, names: readonly string[]): void {
  for (const column of given.keys()) {
    if (!names.includes(column)) {
      const guess = nearest(column, names);
      const hint = guess ? `did you mean ${JSON.stringify(guess)}?` : `there are ${names.slice(0, 20).join(', ')}.`;
      throw invalidField(
        'types',
        `Expected \`types\` to name columns of the files but received ${JSON.stringify(column)}; ${hint}`,
      );
    }
  }
}

/** Refuses types where the files state their own. */
export function refuseGivenTypes(given: GivenTypes, format: string): void {
  if (given.size > 0) {
    throw invalidField('types', `Expected no \`types\`: ${format} states the type of what it holds.`);
  }
}
