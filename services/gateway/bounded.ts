import { z } from 'zod';

/**
 * A schema whose value may have no more entries, which is checked before any of them: a body of millions of wrong entries would
 * make millions of complaints.
 */
export function bounded<T extends z.ZodType>(schema: T, entriesMax: number) {
  return z.preprocess((value, context) => {
    const count = entryCount(value);
    if (count > entriesMax) {
      context.addIssue({ code: 'custom', message: `expected at most ${entriesMax} entries but received ${count}` });
      return z.NEVER;
    }
    return value;
  }, schema);
}

function entryCount(value: unknown): number {
  if (Array.isArray(value)) {
    return value.length;
  }
  return typeof value === 'object' && value !== null ? Object.keys(value).length : 0;
}
