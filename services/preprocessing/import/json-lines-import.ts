import type { Column } from '../column.js';
import { checkGivenColumns } from './given-types.js';
import { type ImportFile, invalidFile } from './import-file.js';
import type { ImportBatch, ImportContext, ImportSource } from './import-source.js';
import { isJsonArray, readJsonArray } from './json-array.js';
import { columnValue, JsonColumns } from './json-columns.js';
import { fieldAtEnd, type JsonField, JsonRecordError, readJsonRecord } from './json-record.js';
import { RowBatch } from './row-batch.js';
import { readLines } from './text-lines.js';

/**
 * Opens JSON lines, one object a line, or an array of objects; a field that is left out is missing, and objects within are flattened. All are read once to find columns
 * and types.
 */
export async function openJsonLines(files: readonly ImportFile[], context: ImportContext): Promise<ImportSource> {
  const found = new JsonColumns(context.types);
  for (const file of files) {
    for await (const _ of records(file, context.signal, (name, field) => found.add(name, field))) {
      // The columns are gathered field by field.
    }
  }
  const columns = found.finish();
  checkGivenColumns(
    context.types,
    columns.map(({ name }) => name),
  );
  if (columns.length === 0) {
    throw invalidFile(files[0]!.path, 'Expected at least one record with a field but received none.');
  }
  return { columns, batches: readRows(files, columns, context.signal) };
}

async function* readRows(
  files: readonly ImportFile[],
  columns: readonly Column[],
  signal: AbortSignal,
): AsyncGenerator<ImportBatch> {
  const types = columns.map(({ type }) => type);
  const places = new Map(columns.map(({ name }, i) => [name, i]));
  let values: unknown[] = columns.map(() => null);
  const onField = (name: string, field: JsonField) => {
    const i = places.get(name);
    if (field.kind === 'object' || (field.kind === 'null' && i === undefined)) {
      return; // Where others have an object null is one whose fields are all missing.
    }
    if (i === undefined) {
      throw new JsonRecordError(`Expected the file to stay as it was but the field ${JSON.stringify(name)} is new`);
    }
    values[i] = columnValue(types[i]!, field);
  };
  let batch = new RowBatch(types);
  for (const file of files) {
    for await (const bytes of records(file, signal, onField)) {
      batch.push(values, bytes);
      values = columns.map(() => null);
      if (batch.isFull) {
        yield batch.finish();
        batch = new RowBatch(types);
      }
    }
  }
  if (batch.length > 0) {
    yield batch.finish();
  }
}

/** @param begin of a line, up to what is wrong in it */
function describeField(begin: string): string {
  const name = fieldAtEnd(begin.replace(/^\ufeff/, ''));
  return name === null ? '' : `, column ${JSON.stringify(name)}`;
}

/** Reads the records of a file one after the other; answers the bytes of each once its fields were told. */
async function* records(
  file: ImportFile,
  signal: AbortSignal,
  onField: (name: string, field: JsonField) => void,
): AsyncGenerator<number> {
  const texts = (await isJsonArray(file)) ? recordsOfArray(file, signal) : recordsOfLines(file, signal);
  for await (const { text, place, bytes } of texts) {
    try {
      readJsonRecord(text, onField);
    } catch (error) {
      throw error instanceof JsonRecordError ? invalidFile(file.path, `${place}: ${error.message}.`) : error;
    }
    yield bytes;
  }
}

interface RecordText {
  text: string;
  /** In the file, for messages. */
  place: string;
  bytes: number;
}

async function* recordsOfLines(file: ImportFile, signal: AbortSignal): AsyncGenerator<RecordText> {
  for await (const { lines, firstLine, bytes } of readLines(file, signal, describeField)) {
    for (const [i, line] of lines.entries()) {
      const text = firstLine + i === 1 ? line.replace(/^\ufeff/, '') : line;
      if (text.trim() !== '') {
        yield { text, place: `Line ${firstLine + i}`, bytes: bytes / lines.length };
      }
    }
  }
}

async function* recordsOfArray(file: ImportFile, signal: AbortSignal): AsyncGenerator<RecordText> {
  let row = 0;
  for await (const { text, line, bytes } of readJsonArray(file, signal)) {
    row++;
    yield { text, place: `Row ${row}, from line ${line} on`, bytes };
  }
}
