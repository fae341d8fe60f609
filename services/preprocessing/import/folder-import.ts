import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { imagePixelsMax, isImage, isSound } from '../../pipeline/index.js';
import type { Column, ColumnType } from '../column.js';
import type { SplitName } from '../split.js';
import { refuseGivenTypes } from './given-types.js';
import { type ImportFile, invalidFile } from './import-file.js';
import type { ImportBatch, ImportContext, ImportSource } from './import-source.js';
import { RowBatch } from './row-batch.js';
import { Utf8Check } from './utf8-check.js';

/** What the files of a folder hold, one a row. */
export type FolderContent = 'image' | 'sound' | 'text';

const titles: Record<FolderContent, string> = {
  image: 'a PNG, JPEG, WebP, GIF or TIFF picture',
  sound: 'a WAV, FLAC, MP3 or Ogg file',
  text: 'a text file',
};
const fileBytesMax = 32 * 1024 * 1024;
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
    column(content, content === 'text' ? text : { kind: 'binary', large: false, width: null }),
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
  const hasSplit = depth > 0 && files.every(({ folders }) => splitOf(folders) !== undefined);
  const labelDepth = depth - (hasSplit ? 1 : 0);
  if (labelDepth > 1) {
    throw invalidFile(
      files[0]!.path,
      'Expected a folder for each class, perhaps in folders train, validation and test, but it is deeper.',
    );
  }
  return { hasSplit, hasLabel: labelDepth === 1 };
}

const splitOf = (folders: readonly string[]) => splitFolders[folders[0]!.toLowerCase()];

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
    row.push([...file.folders, path.basename(file.path)].join('/'));
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

async function readContent({ path: file, sizeBytes }: ImportFile, content: FolderContent): Promise<string | Buffer> {
  if (sizeBytes > fileBytesMax) {
    throw invalidFile(file, `Expected files of at most ${fileBytesMax} bytes but it has ${sizeBytes}.`);
  }
  const bytes = await readFile(file);
  if (content === 'text') {
    const check = new Utf8Check(file);
    check.push(bytes, 1);
    check.finish(bytes.toString('latin1').split('\n').length);
    return bytes.toString('utf8').replace(/^\ufeff/, '');
  }
  if (!isContent[content](bytes)) {
    const received =
      bytes.length === 0 ? 'it is empty' : `its first bytes are ${[...bytes.subarray(0, 12)].join(', ')}`;
    throw invalidFile(file, `Expected ${titles[content]} but ${received}.`);
  }
  if (content === 'image') {
    await checkExtent(file, bytes);
  }
  return bytes;
}

/** Refuses what no pipeline would decode; a header that cannot be read is left to the decoder. */
async function checkExtent(file: string, bytes: Buffer): Promise<void> {
  const { imageSize } = await import('image-size');
  let extent: { width: number; height: number };
  try {
    extent = imageSize(bytes);
  } catch {
    return;
  }
  const { width, height } = extent;
  if (width * height > imagePixelsMax) {
    throw invalidFile(file, `Expected a picture of at most ${imagePixelsMax} pixels but it says ${width} x ${height}.`);
  }
}

/** By the first bytes; whether the rest is whole is seen when it is decoded. */
const isContent = {
  image: isImage,
  sound: isSound,
};
