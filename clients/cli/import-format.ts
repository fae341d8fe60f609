import { InvalidArgumentError } from 'commander';

/** Formats of `data import` by the names that the command line has for them. */
export const importFormats = {
  idx: 'FORMAT_IDX',
  csv: 'FORMAT_CSV',
  tsv: 'FORMAT_TSV',
  'json-lines': 'FORMAT_JSON_LINES',
  parquet: 'FORMAT_PARQUET',
  arrow: 'FORMAT_ARROW',
  numpy: 'FORMAT_NUMPY',
  images: 'FORMAT_IMAGES',
  sounds: 'FORMAT_SOUNDS',
  texts: 'FORMAT_TEXTS',
} as const;
export type ImportFormatName = keyof typeof importFormats;
export const importFormatNames = Object.keys(importFormats);

/** Adds `COLUMN=TYPE` to the types before it. The last equals sign counts: a column's name may have one. */
export function collectType(text: string, before: Record<string, string>): Record<string, string> {
  const at = text.lastIndexOf('=');
  if (at <= 0 || at === text.length - 1) {
    throw new InvalidArgumentError('Expected COLUMN=TYPE, for example age=Int64.');
  }
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}
