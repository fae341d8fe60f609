import { InvalidArgumentError } from 'commander';
import { importFormats } from '../sdk/import-formats.js';

export const importFormatNames = Object.keys(importFormats);

/** Adds `COLUMN=TYPE` to the types before it. The last equals sign counts: a column's name may have one. */
export function collectType(text: string, before: Record<string, string>): Record<string, string> {
  const at = text.lastIndexOf('=');
  if (at <= 0 || at === text.length - 1) {
    throw new InvalidArgumentError('Expected COLUMN=TYPE, for example age=Int64.');
  }
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}
