import { invalidField } from './errors.js';
import { nearest } from './nearest-name.js';

export interface OrderKey<Field extends string> {
  field: Field;
  isDescending: boolean;
}

/** Reads an order as AIP-132 has it: `priority desc, create_time`. Throws INVALID_ARGUMENT for `order_by`. */
export function parseOrderBy<Field extends string>(orderBy: string, fields: readonly Field[]): OrderKey<Field>[] {
  if (orderBy.trim() === '') {
    return [];
  }
  const keys = orderBy.split(',').map((key): OrderKey<Field> => {
    const [, name = '', direction] = /^\s*([\w.]+)(?:\s+(asc|desc))?\s*$/.exec(key) ?? [];
    const field = fields.find((one) => one === name);
    if (!field) {
      const meant = nearest(name, fields);
      const rule = `fields of ${fields.join(', ')}, each with \` desc\` or without, separated by commas`;
      const hint = meant ? ` Did you mean ${meant}?` : '';
      throw invalidField('order_by', `Expected \`order_by\` to be ${rule} but received ${JSON.stringify(key)}.${hint}`);
    }
    return { field, isDescending: direction === 'desc' };
  });
  if (new Set(keys.map(({ field }) => field)).size < keys.length) {
    throw invalidField(
      'order_by',
      `Expected \`order_by\` to name each field once but received ${JSON.stringify(orderBy)}.`,
    );
  }
  return keys;
}
