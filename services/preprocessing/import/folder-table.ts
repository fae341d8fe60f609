import path from 'node:path';
import { type ColumnChunk, everyRow, gatherTexts } from '../../pipeline/index.js';
import { nearest } from '../../platform/nearest-name.js';
import { sliceChunk } from '../chunk-slice.js';
import { type Column, isText, typeName } from '../column.js';
import { contentType, type FolderContent, nameWithin, readContent } from './folder-file.js';
import { isSplit, splitOf } from './folder-import.js';
import { type ImportFile, invalidFile } from './import-file.js';
import type { ImportBatch, ImportSource } from './import-source.js';
import { RowBatch } from './row-batch.js';

/** A table that lies among the files. */
export interface FolderTable {
  file: ImportFile;
  source: ImportSource;
}

/** The column that names a row's file, as Hugging Face's ImageFolder has it. */
const nameColumn = 'file_name';

/**
 * Opens a folder of files with a table that has a row for each of them: its column `file_name` names the file, from the table's own
 * folder on. The rows are in the table's order; before its other columns stand the content of the file, the split where all files are in
 * folders of splits, and the name. What other folders are called says nothing: the table does.
 */
export function openFolderTable(
  files: readonly ImportFile[],
  content: FolderContent,
  table: FolderTable,
  signal: AbortSignal,
): ImportSource {
  const { columns } = table.source;
  const place = findNameColumn(columns, table.file);
  const hasSplit = isSplit(files);
  const column = (name: string, type: Column['type']): Column => ({ name, type, shape: [] });
  const text: Column['type'] = { kind: 'text', large: false };
  const added = [
    column(content, contentType(content)),
    ...(hasSplit ? [column('split', text)] : []),
    column('file', text),
  ];
  const others = columns.filter((_, i) => i !== place);
  const taken = others.find(({ name }) => added.some((one) => one.name === name));
  if (taken) {
    const names = added.map(({ name }) => name).join(', ');
    throw invalidFile(
      table.file.path,
      `Expected no column ${JSON.stringify(taken.name)}: the files give ${names} themselves.`,
    );
  }
  const batches = readRows({ files, content, table, place, hasSplit, types: added.map(({ type }) => type) }, signal);
  return { columns: [...added, ...others], batches };
}

function findNameColumn(columns: readonly Column[], { path: file }: ImportFile): number {
  const place = columns.findIndex(({ name }) => name === nameColumn);
  const names = columns.map(({ name }) => name);
  const expected = `a column \`${nameColumn}\` that names the file of each row, since it lies among other files,`;
  if (place < 0) {
    const close = nearest(nameColumn, names);
    const hint = close ? `; is it ${JSON.stringify(close)}?` : '.';
    throw invalidFile(file, `Expected ${expected} but received ${names.slice(0, 20).join(', ')}${hint}`);
  }
  if (!isText(columns[place]!)) {
    throw invalidFile(file, `Expected ${expected} but it is ${typeName(columns[place]!.type)}.`);
  }
  return place;
}

interface JoinedFiles {
  files: readonly ImportFile[];
  content: FolderContent;
  table: FolderTable;
  /** Of the column of names. */
  place: number;
  hasSplit: boolean;
  /** Of the columns before the table's. */
  types: readonly Column['type'][];
}

async function* readRows(joined: JoinedFiles, signal: AbortSignal): AsyncGenerator<ImportBatch> {
  const { files, content, table, place, hasSplit, types } = joined;
  const names = new RowFiles(files, table.file);
  let rowsBefore = 0;
  for await (const { chunks, bytesDone } of table.source.batches) {
    const [length, others] = [chunks[place]!.length, chunks.filter((_, i) => i !== place)];
    const given = gatherTexts(chunks[place] as Parameters<typeof gatherTexts>[0], everyRow(length));
    let batch = new RowBatch(types);
    for (let row = 0; row < length; row++) {
      signal.throwIfAborted();
      const file = names.take(given[row]!, rowsBefore + row + 1);
      const split = hasSplit ? [splitOf(file.folders)] : [];
      batch.push([await readContent(file, content), ...split, nameWithin(file)], file.sizeBytes + bytesDone / length);
      if (batch.isFull || row === length - 1) {
        yield beside(batch, others, row + 1);
        batch = new RowBatch(types);
      }
    }
    rowsBefore += length;
  }
  names.finish();
}

/** @param end where the rows of the batch end in the chunks of the table */
function beside(batch: RowBatch, others: readonly ColumnChunk[], end: number): ImportBatch {
  const from = end - batch.length;
  const { chunks, bytesDone } = batch.finish();
  return { chunks: [...chunks, ...others.map((chunk) => sliceChunk(chunk, from, end))], bytesDone };
}

/** Gives each row its file: every row has one, and every file has a row. */
class RowFiles {
  readonly #left: Map<string, ImportFile>;
  readonly #taken = new Map<string, number>();
  readonly #example: string;

  constructor(
    files: readonly ImportFile[],
    private readonly table: ImportFile,
  ) {
    this.#left = new Map(files.map((file) => [nameWithin(file), file]));
    this.#example = path.posix.relative(table.folders.join('/'), nameWithin(files[0]!));
  }

  take(given: string | null, row: number): ImportFile {
    const name = path.posix.join(...this.table.folders, given ?? '');
    const file = this.#left.get(name);
    if (!file) {
      const before = this.#taken.get(name);
      const expected =
        before === undefined
          ? `a file of the import, such as ${JSON.stringify(this.#example)},`
          : `each file once, and row ${before} has it already,`;
      const problem = `Row ${row}, column \`${nameColumn}\`: Expected ${expected} but received ${JSON.stringify(given)}.`;
      throw invalidFile(this.table.path, problem);
    }
    this.#left.delete(name);
    this.#taken.set(name, row);
    return file;
  }

  finish(): void {
    if (this.#left.size > 0) {
      const [first] = this.#left.keys();
      const more = this.#left.size > 1 ? ` and ${this.#left.size - 1} more have` : ' has';
      throw invalidFile(this.table.path, `Expected a row for every file but ${JSON.stringify(first)}${more} none.`);
    }
  }
}
