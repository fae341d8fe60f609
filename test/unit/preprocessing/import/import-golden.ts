import { readFileSync } from 'node:fs';
import path from 'node:path';

const folder = path.join(import.meta.dirname, '../../../golden/import');

/** A file as make_import_golden.py has written it. */
export const goldenFile = (name: string): Buffer => readFileSync(path.join(folder, name));

/** What the files hold, by rows. Integers of more than 53 bits are texts. */
export const goldenContent = JSON.parse(goldenFile('import.json').toString()) as Record<string, unknown[][]>;

/** Rows as they stand in the golden file. */
export function asGolden(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(asGolden);
  }
  return typeof value === 'bigint' ? (Number.isSafeInteger(Number(value)) ? Number(value) : String(value)) : value;
}
