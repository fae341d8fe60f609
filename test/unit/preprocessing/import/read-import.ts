import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  type ColumnChunk,
  everyRow,
  gatherBooleans,
  gatherTexts,
  isValid,
  listStart,
} from '../../../../services/pipeline/index.js';
import { typeName } from '../../../../services/preprocessing/column.js';
import { parseGivenTypes } from '../../../../services/preprocessing/import/given-types.js';
import { type ImportFormat, openFiles } from '../../../../services/preprocessing/import/import-format.js';
import { parseMissingValues } from '../../../../services/preprocessing/import/missing-values.js';
import { tempFolder } from '../../../support/temp-folder.js';

/** Files by name: what they hold. */
type Files = Record<string, string | Uint8Array>;

export interface ReadImport {
  /** Names and types. */
  columns: [string, string][];
  shapes: number[][];
  rows: unknown[][];
  batchRows: number[];
  bytesDone: number;
}

/** Writes the files and reads them as an import does. Integers of 64 bits come as bigints, lists as arrays. */
export async function readImport(
  files: Files,
  types: Record<string, string> = {},
  format: ImportFormat | null = null,
  missing: readonly string[] = [],
): Promise<ReadImport> {
  const folder = tempFolder();
  const listed = Object.entries(files).map(([name, content]) => {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
    return {
      path: file,
      folders: path
        .dirname(name)
        .split('/')
        .filter((one) => one !== '.'),
      sizeBytes: statSync(file).size,
    };
  });
  const source = await openFiles(listed, format, {
    types: parseGivenTypes(types),
    missingValues: parseMissingValues(missing),
    spillFolder: path.join(folder, 'spill'),
    mayGuess: false,
    signal: new AbortController().signal,
  });
  const read: ReadImport = {
    columns: source.columns.map(({ name, type }) => [name, typeName(type)]),
    shapes: source.columns.map(({ shape }) => shape),
    rows: [],
    batchRows: [],
    bytesDone: 0,
  };
  for await (const { chunks, bytesDone } of source.batches) {
    const columns = chunks.map(valuesOf);
    const length = chunks[0]?.length ?? 0;
    for (let row = 0; row < length; row++) {
      read.rows.push(columns.map((values) => values[row]));
    }
    if (chunks.length > 0) {
      read.batchRows.push(length);
    }
    read.bytesDone += bytesDone;
  }
  return read;
}

/** Bytes come as text, decimals as whole units, times as they are counted. */
function valuesOf(chunk: ColumnChunk): unknown[] {
  const all = everyRow(chunk.length);
  const values = presentValues(chunk, all);
  return values.map((value, row) => (isValid(chunk.validity, row) ? value : null));
}

function presentValues(chunk: ColumnChunk, all: Int32Array): unknown[] {
  switch (chunk.kind) {
    case 'boolean':
      return Array.from(gatherBooleans(chunk, all), Boolean);
    case 'number': {
      const { values, width } = chunk;
      return Array.from(all, (row) =>
        width === 1 ? values[row] : [...values.subarray(row * width, (row + 1) * width)],
      );
    }
    case 'time':
      return [...chunk.values];
    case 'binary': {
      const { offsets, bytes } = chunk;
      return Array.from(all, (row) =>
        Buffer.from(bytes.subarray(Number(offsets[row]), Number(offsets[row + 1]))).toString('latin1'),
      );
    }
    case 'opaque': {
      const words = new BigInt64Array(chunk.bytes.slice().buffer);
      return Array.from(all, (row) => BigInt.asUintN(64, words[2 * row]!) + (words[2 * row + 1]! << 64n));
    }
    case 'list': {
      const items = valuesOf(chunk.items);
      return Array.from(all, (row) => items.slice(listStart(chunk, row), listStart(chunk, row + 1)));
    }
    case 'struct': {
      const fields = chunk.fields.map(valuesOf);
      return Array.from(all, (row) => fields.map((values) => values[row]));
    }
    case 'null':
      return Array.from(all, () => null);
    default:
      return gatherTexts(chunk, all);
  }
}
