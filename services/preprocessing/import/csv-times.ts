import {
  type ColumnChunk,
  isValid,
  readTime,
  readTimeText,
  type TextChunk,
  type WrittenTime,
} from '../../pipeline/index.js';
import { quote } from '../../platform/errors.js';
import { type Column, typeName } from '../column.js';
import { TimeBuilder } from './column-builder.js';
import type { CsvOutline, CsvSample } from './csv-outline.js';
import { fieldKinds } from './field-kind.js';
import { invalidFile } from './import-file.js';
import type { ImportBatch } from './import-source.js';
import { isSpelledMissing, type MissingValues } from './missing-values.js';
import { isTimeType, TimeInference, type TimeType, timeExample, timeValue } from './time-texts.js';

/** Columns as the readers of CSV give them: times are texts first, so that whoever reads, they are read in one place. */
export function asWritten(columns: readonly Column[]): Column[] {
  return columns.map((column) =>
    isTimeType(column.type) ? { ...column, type: { kind: 'text', large: false } } : column,
  );
}

/** Places of columns that may be times, going by the first text of each. */
export function mayBeTimes(outlines: readonly Pick<CsvOutline | CsvSample, 'columns'>[]): number[] {
  return outlines[0]!.columns.flatMap((_, i) => {
    const found = outlines.map(({ columns }) => columns[i]!).filter(({ kind }) => kind !== fieldKinds.missing);
    const isTime = found.every(
      ({ firstBeyond: { number: first } }) => first && new TimeInference().add(readTimeText(first.text.trim())),
    );
    return found.length > 0 && isTime ? [i] : [];
  });
}

/** The types of those columns all whose values are times, by place. @param batches in which they are texts */
export async function inferTimes(
  batches: AsyncIterable<ImportBatch>,
  places: readonly number[],
  missing: MissingValues,
): Promise<Map<number, TimeType>> {
  const open = new Map(places.map((place) => [place, new TimeInference()]));
  for await (const { chunks } of batches) {
    for (const [place, times] of open) {
      if (!areTimes(chunks[place] as TextChunk, times, missing)) {
        open.delete(place);
      }
    }
    if (open.size === 0) {
      break;
    }
  }
  return new Map([...open].flatMap(([place, { type }]) => (type ? [[place, type]] : [])));
}

function areTimes(chunk: TextChunk, times: TimeInference, missing: MissingValues): boolean {
  const timeAt = timeReader(chunk);
  for (let row = 0; row < chunk.length; row++) {
    if (!times.add(timeAt(row)) && !isMissing(chunk, row, missing)) {
      return false;
    }
  }
  return true;
}

/** Rows of a file with its times read. @throws ServiceError naming row and column of a text that is no time of the column's type */
export async function* readTimes(
  file: string,
  batches: AsyncIterable<ImportBatch>,
  columns: readonly Column[],
  missing: MissingValues,
): AsyncGenerator<ImportBatch> {
  let firstRow = 0;
  for await (const { chunks, bytesDone } of batches) {
    const read = chunks.map((chunk, i) => {
      const { name, type } = columns[i]!;
      return isTimeType(type) ? toTimes(file, name, type, chunk as TextChunk, firstRow, missing) : chunk;
    });
    firstRow += chunks[0]!.length;
    yield { chunks: read, bytesDone };
  }
}

function toTimes(
  file: string,
  name: string,
  type: TimeType,
  chunk: TextChunk,
  firstRow: number,
  missing: MissingValues,
): ColumnChunk {
  const builder = new TimeBuilder(type.unit, chunk.length);
  const timeAt = timeReader(chunk);
  for (let row = 0; row < chunk.length; row++) {
    const value = timeValue(type, timeAt(row));
    if (value === null && !isMissing(chunk, row, missing)) {
      const place = `Row ${firstRow + row + 1}, column ${JSON.stringify(name)}`;
      const received = quote(
        bytesOf(chunk).toString('utf8', Number(chunk.offsets[row]), Number(chunk.offsets[row + 1])),
      );
      throw invalidFile(file, `${place}: Expected ${typeName(type)}, ${timeExample(type)}, but received ${received}.`);
    }
    builder.push(value);
  }
  return builder.finish();
}

const [space, tab] = [0x20, 0x09];

/** Reads the times of rows; null: there is none. Spaces around a time do not count. */
function timeReader({ offsets, bytes }: TextChunk) {
  const isSpace = (at: number) => bytes[at] === space || bytes[at] === tab;
  return (row: number): WrittenTime | null => {
    let [from, to] = [Number(offsets[row]), Number(offsets[row + 1])];
    while (from < to && isSpace(from)) {
      from++;
    }
    while (to > from && isSpace(to - 1)) {
      to--;
    }
    return from < to ? readTime(bytes, from, to) : null;
  };
}

/** It is so by a word, or as it is. */
function isMissing(chunk: TextChunk, row: number, missing: MissingValues): boolean {
  const [from, to] = [Number(chunk.offsets[row]), Number(chunk.offsets[row + 1])];
  return !isValid(chunk.validity, row) || from === to || isSpelledMissing(missing, bytesOf(chunk), from, to);
}

function bytesOf({ bytes }: TextChunk): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
