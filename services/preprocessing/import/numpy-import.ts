import { createReadStream } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import type { ColumnChunk } from '../../pipeline/index.js';
import { type Column, typeName } from '../column.js';
import { type SplitName, splitNames } from '../split.js';
import { ByteReader } from './byte-reader.js';
import { constantTexts } from './constant-texts.js';
import { refuseGivenTypes } from './given-types.js';
import { type ImportFile, invalidFile } from './import-file.js';
import {
  batchBytesMax,
  batchRowsMax,
  type ImportBatch,
  type ImportContext,
  type ImportSource,
} from './import-source.js';
import { type NpyHeader, readNpyHeader } from './npy-header.js';
import { npyChunk, npyColumn } from './npy-values.js';
import { listZip } from './zip-members.js';

/** An array of a file, not yet opened for its rows. */
interface NpyArray {
  /** For messages. */
  place: string;
  name: string;
  header: NpyHeader;
  open(): Readable;
}

/** Arrays whose rows belong together. */
interface Part {
  split: SplitName | null;
  arrays: NpyArray[];
}

/**
 * Opens NumPy's files: each array is a column, its first dimension the rows. The `.npy` files make one table, each `.npz`
 * another, and the tables follow one another. Arrays called `*_train`, `*_validation` (or `*_val`) and `*_test` are rows of
 * one column `*`, told apart by a column `split`.
 */
export async function openNumpy(files: readonly ImportFile[], context: ImportContext): Promise<ImportSource> {
  refuseGivenTypes(context.types, 'NumPy');
  const parts: Part[] = [];
  const single: NpyArray[] = [];
  for (const file of files) {
    if (/\.npz$/i.test(file.path)) {
      const arrays: NpyArray[] = [];
      for (const { name, sizeBytes, open } of await listZip(file)) {
        arrays.push(await describeArray(`${file.path}: ${name}`, name.replace(/\.npy$/i, ''), sizeBytes, open));
      }
      parts.push(...toParts(file.path, arrays));
    } else {
      const open = () => createReadStream(file.path, { highWaterMark: 1024 * 1024 });
      const name = path.basename(file.path).replace(/\.npy$/i, '');
      single.push(await describeArray(file.path, name, file.sizeBytes, open));
    }
  }
  if (single.length > 0) {
    parts.unshift(...toParts(path.dirname(single[0]!.place), single));
  }
  const columns = columnsOf(parts);
  return { columns, batches: readParts(parts, columns, files, context.signal) };
}

async function describeArray(place: string, name: string, sizeBytes: number, open: () => Readable): Promise<NpyArray> {
  const reader = new ByteReader(open());
  try {
    const header = await readNpyHeader(reader, place);
    const expected = header.headerBytes + header.rowCount * header.rowBytes;
    if (sizeBytes < expected) {
      const row = Math.max(0, Math.floor((sizeBytes - header.headerBytes) / header.rowBytes)) + 1;
      throw invalidFile(
        place,
        `It is truncated: it ends at byte ${sizeBytes}, in row ${row} of ${header.rowCount}. Its header promises ${expected} bytes.`,
      );
    }
    if (sizeBytes > expected) {
      throw invalidFile(
        place,
        `Expected it to end at byte ${expected}, as its header says, but it has ${sizeBytes} bytes.`,
      );
    }
    return { place, name, header, open };
  } finally {
    reader.close();
  }
}

const suffixes: Record<string, SplitName> = {
  train: 'train',
  validation: 'validation',
  val: 'validation',
  test: 'test',
};

/** Groups arrays by the split in their names, where all have one; in each part all have as many rows. */
function toParts(place: string, arrays: readonly NpyArray[]): Part[] {
  if (arrays.length === 0) {
    throw invalidFile(place, 'Expected at least one array but it has none.');
  }
  const matches = arrays.map(({ name }) => /^(.+)_(train|validation|val|test)$/i.exec(name));
  const parts = new Map<SplitName | null, NpyArray[]>();
  for (const [i, array] of arrays.entries()) {
    const match = matches.every((one) => one !== null) ? matches[i]! : null;
    const split = match ? suffixes[match[2]!.toLowerCase()]! : null;
    const named = { ...array, name: match ? match[1]! : array.name };
    parts.set(split, [...(parts.get(split) ?? []), named]);
  }
  for (const part of parts.values()) {
    const [first] = part as [NpyArray];
    const other = part.find(({ header }) => header.rowCount !== first.header.rowCount);
    if (other) {
      const problem = `Expected as many rows as ${first.place} has, ${first.header.rowCount}, but its header says ${other.header.rowCount}.`;
      throw invalidFile(other.place, problem);
    }
  }
  return splitNames.concat([null as never]).flatMap((split) => {
    const found = parts.get(split);
    return found ? [{ split, arrays: found }] : [];
  });
}

function columnsOf(parts: readonly Part[]): Column[] {
  const [first, ...others] = parts.map(({ arrays }) =>
    arrays.map(({ name, header, place }) => npyColumn(name, header, place)),
  );
  const text = (columns: Column[]) =>
    columns.map(({ name, type, shape }) => `${name} ${typeName(type)} ${shape}`).join('; ');
  for (const [i, columns] of others.entries()) {
    if (text(columns) !== text(first!)) {
      const { place } = parts[i + 1]!.arrays[0]!;
      throw invalidFile(place, `Expected arrays like those before, ${text(first!)}, but received ${text(columns)}.`);
    }
  }
  const hasSplit = parts.some(({ split }) => split !== null);
  if (hasSplit && first!.some(({ name }) => name === 'split')) {
    throw invalidFile(parts[0]!.arrays[0]!.place, 'Expected no array called split beside arrays of splits.');
  }
  const split: Column = { name: 'split', type: { kind: 'text', large: false }, shape: [] };
  return hasSplit ? [...first!, split] : first!;
}

async function* readParts(
  parts: readonly Part[],
  columns: readonly Column[],
  files: readonly ImportFile[],
  signal: AbortSignal,
): AsyncGenerator<ImportBatch> {
  const headers = parts.flatMap(({ arrays }) => arrays.map(({ header }) => header));
  const unpackedBytes = headers.reduce((sum, { rowCount, rowBytes }) => sum + rowCount * rowBytes, 0);
  // Progress is in bytes of the files, which may be compressed.
  const scale = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / unpackedBytes;
  for (const { split, arrays } of parts) {
    const hasSplit = columns.length > arrays.length;
    for await (const { chunks, bytesDone } of readPart(arrays, signal)) {
      const length = chunks[0]!.length;
      // A file without splits, among others that have them, is for training.
      const all = hasSplit ? [...chunks, constantTexts(split ?? 'train', length)] : chunks;
      yield { chunks: all, bytesDone: Math.round(bytesDone * scale) };
    }
  }
}

/** Goes through the arrays side by side. */
async function* readPart(arrays: readonly NpyArray[], signal: AbortSignal): AsyncGenerator<ImportBatch> {
  const readers: ByteReader[] = [];
  try {
    for (const { open, header } of arrays) {
      const reader = new ByteReader(open());
      readers.push(reader);
      await reader.read(header.headerBytes);
    }
    const { rowCount } = arrays[0]!.header;
    const rowBytes = arrays.reduce((sum, { header }) => sum + header.rowBytes, 0);
    const rowsMax = Math.max(1, Math.min(batchRowsMax, Math.floor(batchBytesMax / rowBytes)));
    for (let row = 0; row < rowCount; row += rowsMax) {
      signal.throwIfAborted();
      const rows = Math.min(rowsMax, rowCount - row);
      const chunks: ColumnChunk[] = [];
      for (const [i, { header, place }] of arrays.entries()) {
        const bytes = await readers[i]!.read(rows * header.rowBytes);
        if (bytes.length < rows * header.rowBytes) {
          throw invalidFile(place, `It is truncated: it ends before row ${row + rows} of ${rowCount}.`);
        }
        chunks.push(npyChunk(header, bytes, place, row));
      }
      yield { chunks, bytesDone: rows * rowBytes };
    }
    for (const reader of readers) {
      // Where the stream ends its checksum is looked at.
      await reader.read(1);
    }
  } finally {
    for (const reader of readers) {
      reader.close();
    }
  }
}
