import type { Column, ColumnType } from '../column.js';
import type { SplitName } from '../split.js';
import { contentType, type FolderContent, nameWithin, readContent } from './folder-file.js';
import { refuseGivenTypes } from './given-types.js';
import { type ImportFile, invalidFile } from './import-file.js';
import type { ImportBatch, ImportContext, ImportSource } from './import-source.js';
import { RowBatch } from './row-batch.js';

const splitFolders: Record<string, SplitName | undefined> = {
  train: 'train',
  validation: 'validation',
  val: 'validation',
  test: 'test',
};

/** Where a file's class and split come from. */
interface Layout {
  hasSplit: boolean;
  hasLabel: boolean;
}

/**
 * Opens folders of files that are a row each: the content (pictures and sound as they are encoded), the class that the folder
 * around it is called, the split where there is a folder `train`, `validation` (or `val`) or `test` around that, and the name.
 */
export async function openFolder(
  files: readonly ImportFile[],
  content: FolderContent,
  { types, signal }: ImportContext,
): Promise<ImportSource> {
  refuseGivenTypes(types, 'A folder of files');
  const layout = layOut(files);
  const text: ColumnType = { kind: 'text', large: false };
  const column = (name: string, type: ColumnType): Column => ({ name, type, shape: [] });
  const columns = [
    column(content, contentType(content)),
    ...(layout.hasLabel ? [column('label', text)] : []),
    ...(layout.hasSplit ? [column('split', text)] : []),
    column('file', text),
  ];
  return { columns, batches: readRows(files, content, layout, columns, signal) };
}

/** All files must lie as deep as the first. */
function layOut(files: readonly ImportFile[]): Layout {
  const depth = files[0]!.folders.length;
  const other = files.find(({ folders }) => folders.length !== depth);
  if (other) {
    throw invalidFile(
      other.path,
      `Expected it ${depth} folders deep, as ${files[0]!.path} is, but it is ${other.folders.length} deep.`,
    );
  }
  const hasSplit = isSplit(files);
  const labelDepth = depth - (hasSplit ? 1 : 0);
  if (labelDepth > 1) {
    throw invalidFile(
      files[0]!.path,
      'Expected a folder for each class, perhaps in folders train, validation and test, but it is deeper.',
    );
  }
  return { hasSplit, hasLabel: labelDepth === 1 };
}

/** Whether every file is in the folder of a split. */
export function isSplit(files: readonly ImportFile[]): boolean {
  return files.every(({ folders }) => splitOf(folders) !== undefined);
}

/** Which split the outermost folder around a file is called. */
export function splitOf([outermost = '']: readonly string[]): SplitName | undefined {
  return splitFolders[outermost.toLowerCase()];
}

async function* readRows(
  files: readonly ImportFile[],
  content: FolderContent,
  { hasSplit, hasLabel }: Layout,
  columns: readonly Column[],
  signal: AbortSignal,
): AsyncGenerator<ImportBatch> {
  const types = columns.map(({ type }) => type);
  let batch = new RowBatch(types);
  for (const file of files) {
    signal.throwIfAborted();
    const row: unknown[] = [await readContent(file, content)];
    if (hasLabel) {
      row.push(file.folders.at(-1));
    }
    if (hasSplit) {
      row.push(splitOf(file.folders));
    }
    row.push(nameWithin(file));
    batch.push(row, file.sizeBytes);
    if (batch.isFull) {
      yield batch.finish();
      batch = new RowBatch(types);
    }
  }
  if (batch.length > 0) {
    yield batch.finish();
  }
}
