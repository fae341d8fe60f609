/** Formats of imports, by the names that this library and the command line have for them. */
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
