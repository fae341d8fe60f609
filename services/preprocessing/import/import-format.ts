import path from 'node:path';
import { invalidField } from '../../platform/errors.js';
import { openArrow } from './arrow-import.js';
import type { FolderContent } from './folder-file.js';
import { openFolder } from './folder-import.js';
import { openFolderTable } from './folder-table.js';
import { refuseGivenTypes } from './given-types.js';
import { openIdx } from './idx-import.js';
import { type ImportFile, invalidFile, openFile } from './import-file.js';
import type { ImportContext, ImportSource } from './import-source.js';
import { openJsonLines } from './json-lines-import.js';
import { openNumpy } from './numpy-import.js';

/** How files of one kind are told from others, and opened. */
interface FormatRules {
  /** For people. */
  title: string;
  /** Of the file's name. */
  name: RegExp;
  /** Of the file's first bytes, where the name says nothing. */
  begins: ((bytes: Uint8Array) => boolean) | null;
  /** Each file is a row, and holds this; the folders around it say what class it has, or a table beside it. */
  folder?: FolderContent;
  /** A file may be such a table. */
  isTable?: true;
  /** Words may stand for missing values. */
  takesMissingValues?: true;
  open(files: readonly ImportFile[], context: ImportContext): Promise<ImportSource>;
}

/** What reads tables is loaded with the first of them. */
const formats = {
  csv: {
    title: 'CSV',
    isTable: true,
    name: /\.csv$/i,
    begins: null,
    takesMissingValues: true,
    open: async (files, context) => (await import('./csv-import.js')).openCsv(files, context),
  },
  tsv: {
    title: 'TSV',
    isTable: true,
    name: /\.(tsv|tab)$/i,
    begins: null,
    takesMissingValues: true,
    open: async (files, context) => (await import('./csv-import.js')).openTsv(files, context),
  },
  jsonLines: {
    title: 'JSON lines',
    isTable: true,
    name: /\.(jsonl|ndjson|json)$/i,
    begins: ([first]) => first === '{'.charCodeAt(0) || first === '['.charCodeAt(0),
    open: openJsonLines,
  },
  parquet: {
    title: 'Parquet',
    isTable: true,
    name: /\.(parquet|pq)$/i,
    begins: (bytes) => Buffer.from(bytes).toString('latin1', 0, 4) === 'PAR1',
    open: async (files, context) => (await import('./parquet-import.js')).openParquet(files, context),
  },
  arrow: {
    title: 'Arrow',
    name: /\.(arrow|arrows|feather|ipc)$/i,
    begins: (bytes) => /^(ARROW1|\xff{4})/.test(Buffer.from(bytes).toString('latin1')),
    open: openArrow,
  },
  numpy: {
    title: 'NumPy',
    name: /\.(npy|npz)$/i,
    begins: (bytes) => Buffer.from(bytes).toString('latin1', 1, 6) === 'NUMPY',
    open: openNumpy,
  },
  images: {
    title: 'images',
    name: /\.(png|jpe?g|webp|gif|tiff?)$/i,
    begins: null,
    folder: 'image',
    open: (files, context) => openFolder(files, 'image', context),
  },
  sounds: {
    title: 'sounds',
    name: /\.(wave?|flac|mp3|ogg|oga|opus)$/i,
    begins: null,
    folder: 'sound',
    open: (files, context) => openFolder(files, 'sound', context),
  },
  texts: {
    title: 'text files',
    name: /\.txt$/i,
    begins: null,
    folder: 'text',
    open: (files, context) => openFolder(files, 'text', context),
  },
  idx: {
    title: 'IDX',
    name: /idx\d|ubyte/i,
    begins: ([zero, zero2, type, dimensions]) => zero === 0 && zero2 === 0 && type! >= 8 && dimensions! > 0,
    open: (files, { types }) => {
      refuseGivenTypes(types, 'IDX');
      return openIdx(files);
    },
  },
} satisfies Record<string, FormatRules>;

export type ImportFormat = keyof typeof formats;

const rules: [ImportFormat, FormatRules][] = Object.entries(formats) as [ImportFormat, FormatRules][];
const titles = rules.map(([, { title }]) => title);
const beginningBytes = 8;

/** @param format null: recognised by the files' names and first bytes, which must all be of one format */
export async function openFiles(
  files: readonly ImportFile[],
  format: ImportFormat | null,
  context: ImportContext,
): Promise<ImportSource> {
  const table = tableAmong(files, format);
  const rows = table ? files.filter((file) => file !== table.file) : files;
  const chosen: FormatRules = formats[format ?? (await recognise(rows))];
  const { title, takesMissingValues } = table?.rules ?? chosen;
  if (context.missingValues.everyColumn && !takesMissingValues) {
    throw invalidField('missing_values', `Expected no \`missing_values\`: ${title} states what is missing.`);
  }
  if (table && chosen.folder) {
    const source = await table.rules.open([table.file], context);
    return openFolderTable(rows, chosen.folder, { file: table.file, source }, context.signal);
  }
  const nested = chosen.folder ? null : files.find(({ folders }) => folders.length > 0);
  if (nested) {
    const message = `Expected no folders in a folder of ${chosen.title} files but this one is in ${nested.folders.join('/')}.`;
    throw invalidFile(nested.path, message);
  }
  return chosen.open(files, context);
}

/** The table that lies among files which are a row each; null: there is none. */
function tableAmong(
  files: readonly ImportFile[],
  format: ImportFormat | null,
): { file: ImportFile; rules: FormatRules } | null {
  const named = files.map((file) => ({ file, rules: ruleByName(file)?.[1] }));
  const hasRows = named.some(({ rules }) => rules?.folder && (format === null || rules === formats[format]));
  const tables = hasRows ? named.filter(({ rules }) => rules?.isTable) : [];
  if (tables.length > 1) {
    const [first, second] = tables.map(({ file }) => file.path);
    throw invalidField('paths', `Expected one table beside the files but received ${first} and ${second}.`);
  }
  return (tables[0] as { file: ImportFile; rules: FormatRules } | undefined) ?? null;
}

async function recognise(files: readonly ImportFile[]): Promise<ImportFormat> {
  const found = new Map<ImportFormat, FormatRules>();
  for (const file of files) {
    const rule = await rulesOf(file);
    found.set(...rule);
  }
  if (found.size > 1) {
    const received = [...found.values()].map(({ title }) => title).join(' and ');
    throw invalidField('paths', `Expected \`paths\` to name files of one format but received ${received}.`);
  }
  return [...found.keys()][0]!;
}

function ruleByName({ path: file }: ImportFile): [ImportFormat, FormatRules] | undefined {
  return rules.find(([, { name }]) => name.test(path.basename(file)));
}

async function rulesOf(imported: ImportFile): Promise<[ImportFormat, FormatRules]> {
  const byName = ruleByName(imported);
  if (byName) {
    return byName;
  }
  const { path: file } = imported;
  const bytes = await readBeginning(file, beginningBytes);
  const byBytes = rules.find(([, { begins }]) => begins?.(bytes));
  if (!byBytes) {
    const message = `Expected ${titles.slice(0, -1).join(', ')} or ${titles.at(-1)} but neither name nor first bytes tell. Give \`format\`.`;
    throw invalidFile(file, message);
  }
  return byBytes;
}

/** The first bytes of a file; fewer, where it has no more. */
export async function readBeginning(file: string, size: number): Promise<Uint8Array> {
  const handle = await openFile(file);
  try {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(size), 0, size, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
