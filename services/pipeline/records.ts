import { quote, ServiceError, Violations } from '../platform/errors.js';
import { type DecodedValues, decodeValues } from './decode-values.js';
import type { FittedPipeline } from './fitted-pipeline.js';
import { decodeImages } from './image.js';
import { filesAtOnce, type PreparedColumn, UnusableValueError, writeFeatures } from './prepared-column.js';
import type { SingleRecord } from './single-record.js';
import type { DecodingStep, FeatureTarget } from './step.js';
import { isTime, parseTime } from './time.js';
import { toNetworkInput, toNumbers } from './transform.js';
import { type ColumnValues, numberValues } from './values.js';

/** One raw value; null: missing. */
export type RawValue = null | number | string | boolean | Uint8Array | readonly number[];

/** A raw example: values by column name. */
export type RawRecord = Readonly<Record<string, RawValue>>;

const violationsMax = 20;
const missingProblem = 'given: the pipeline fills no missing value in this column';

/**
 * The network's input for raw records: float32, row-major [records, featureCount], the same bits that training got from
 * the same values. Files are decoded first.
 * @param field name of the list of records, for messages
 * @param firstIndex place of the first record in that list
 * @throws ServiceError naming every record and column that cannot be used (the first 20)
 */
export async function transformRecords(
  pipeline: FittedPipeline,
  records: readonly RawRecord[],
  field = 'records',
  firstIndex = 0,
): Promise<Float32Array> {
  const features = records.length === 1 && pipeline.single ? transformSingle(pipeline.single, records[0]!) : null;
  if (features) {
    return features;
  }
  const problems = new Problems(field, firstIndex);
  refuseUnknownColumns(pipeline, records, problems);
  if (pipeline.featureType === 'uint8') {
    const bytes = await readBytes(pipeline.columns[0]!, records, problems);
    problems.throwIfAny();
    return toNetworkInput(pipeline, bytes);
  }
  const matrix = matrixOf(pipeline, records.length);
  for (const column of pipeline.columns) {
    if (column.decoding) {
      await writeFiles(column, column.decoding, records, matrix, problems);
      continue;
    }
    const read = readColumn(column, records, problems);
    // Only images take time; a wait for each column would cost a single record more than its steps do.
    const values = read instanceof Promise ? await read : read;
    if (problems.count === 0) {
      writeColumn(column, values, matrix, problems);
    }
  }
  problems.throwIfAny();
  return matrix.values;
}

function matrixOf({ featureCount }: FittedPipeline, rows: number): FeatureTarget {
  return { values: new Float32Array(rows * featureCount), rowWidth: featureCount, offset: 0 };
}

/** Null: the record needs to be read as one of many. */
function transformSingle(single: SingleRecord, record: RawRecord): Float32Array | null {
  try {
    return single.transform(record);
  } catch (error) {
    if (!(error instanceof UnusableValueError)) {
      throw error;
    }
    // There may be more to tell than the first.
    return null;
  }
}

/** What the matrix holds of a single column of bytes. */
async function readBytes(
  column: PreparedColumn,
  records: readonly RawRecord[],
  problems: Problems,
): Promise<Uint8Array> {
  if (!column.decoding) {
    const bytes = new Uint8Array(records.length * column.width!);
    await readLists(column, records, bytes, null, problems);
    return bytes;
  }
  const { items, missing } = await readFiles(column, column.decoding, records, problems);
  for (const [i, isMissing] of (missing ?? []).entries()) {
    if (isMissing && Object.hasOwn(records[i]!, column.column)) {
      problems.add(i, column.column, missingProblem);
    }
  }
  return items as Uint8Array;
}

/** Violations by record and column; past a bound they are no longer gathered. */
class Problems {
  /** Made with the first: most records have none. */
  #violations: Violations | null = null;
  #fields: Set<string> | null = null;

  get count(): number {
    return this.#fields?.size ?? 0;
  }

  constructor(
    private readonly field: string,
    private readonly firstIndex: number,
  ) {}

  add(record: number, column: string, problem: string): void {
    const field = `${this.field}[${this.firstIndex + record}].values[${JSON.stringify(column)}]`;
    // A column that is encoded in several ways is read as often.
    this.#fields ??= new Set();
    const isNew = !this.#fields.has(field);
    this.#fields.add(field);
    if (isNew && this.count <= violationsMax) {
      this.#violations ??= new Violations();
      this.#violations.add(field, `Expected \`${field}\` to be ${problem}.`);
    }
  }

  throwIfAny(): void {
    this.#violations?.throwIfAny();
  }
}

function refuseUnknownColumns(pipeline: FittedPipeline, records: readonly RawRecord[], problems: Problems): void {
  const { inputs: columns } = pipeline;
  let names: Set<string> | null = null;
  for (const [i, record] of records.entries()) {
    const given = Object.keys(record);
    if (given.length === columns.length && columns.every(({ column }) => Object.hasOwn(record, column))) {
      continue;
    }
    names ??= new Set(columns.map(({ column }) => column));
    for (const name of given) {
      if (!names.has(name)) {
        problems.add(i, name, `left out: the pipeline has no such column; it has ${listNames(columns)}`);
      }
    }
    for (const { column } of columns) {
      if (!Object.hasOwn(record, column)) {
        problems.add(
          i,
          column,
          'given: the pipeline needs this column (a missing value is sent as a value that is unset)',
        );
      }
    }
  }
}

function listNames(columns: PreparedColumn[]): string {
  const names = columns.slice(0, 20).map(({ column }) => JSON.stringify(column));
  return names.join(', ') + (columns.length > names.length ? ` and ${columns.length - names.length} more` : '');
}

function readColumn(
  column: PreparedColumn,
  records: readonly RawRecord[],
  problems: Problems,
): ColumnValues | Promise<ColumnValues> {
  if (column.type === 'time') {
    return readTimes(column, records, problems);
  }
  if (column.type === 'text') {
    return { kind: 'texts', values: readTexts(column, records, problems) };
  }
  return column.width === null ? readNumbers(column, records, problems) : readListColumn(column, records, problems);
}

/** Decodes and transforms a few files after the other. */
async function writeFiles(
  column: PreparedColumn,
  decoding: DecodingStep,
  records: readonly RawRecord[],
  { values, rowWidth }: FeatureTarget,
  problems: Problems,
): Promise<void> {
  const rowsMax = filesAtOnce(decoding, column.mappings);
  for (let from = 0; from < records.length; from += rowsMax) {
    const decoded = await readFiles(column, decoding, records.slice(from, from + rowsMax), problems, from);
    if (problems.count === 0) {
      const part = { values: values.subarray(from * rowWidth), rowWidth, offset: 0 };
      writeColumn(column, toNumbers(decoding, decoded), part, problems, from);
    }
  }
}

/** Decodes a column of files. What is no file, or is refused, is noted. `first`: place of the first record. */
async function readFiles(
  { column }: PreparedColumn,
  decoding: DecodingStep,
  records: readonly RawRecord[],
  problems: Problems,
  first = 0,
): Promise<DecodedValues> {
  const contents = records.map((record, i) => {
    const value = record[column] ?? null;
    if (value !== null && !(value instanceof Uint8Array)) {
      problems.add(first + i, column, `the bytes of a file (\`content\`) but received ${describe(value)}`);
      return null;
    }
    return value;
  });
  const decoded = await decodeValues(decoding, contents);
  for (const { row, expected } of decoded.refused) {
    problems.add(first + row, column, expected);
  }
  return decoded;
}

function readTexts(
  { column, steps }: PreparedColumn,
  records: readonly RawRecord[],
  problems: Problems,
): (string | null)[] {
  return records.map((record, i) => {
    const value = record[column];
    if (value === undefined || value === null) {
      return null;
    }
    if (typeof value !== 'string') {
      const [example] = steps.flatMap((step): unknown[] => ('categories' in step ? step.categories : []));
      const hint = example === undefined ? '' : ` as in the dataset, for example ${quote(example)},`;
      problems.add(i, column, `text${hint} but received ${describe(value)}`);
      return null;
    }
    return value;
  });
}

/** As text, or as milliseconds since 1970. */
function readTimes({ column }: PreparedColumn, records: readonly RawRecord[], problems: Problems): ColumnValues {
  const values = new Float64Array(records.length);
  let missing: Uint8Array | null = null;
  for (let i = 0; i < records.length; i++) {
    const value = records[i]![column] ?? null;
    const ms = typeof value === 'string' ? parseTime(value) : typeof value === 'number' ? Math.floor(value) : null;
    if (value === null) {
      missing ??= new Uint8Array(records.length);
      missing[i] = 1;
    } else if (ms === null || !isTime(ms)) {
      const rule = 'a time like 2024-01-31 or 2024-01-31T12:00:00Z, or milliseconds since 1970,';
      problems.add(i, column, `${rule} but received ${describe(value)}`);
    } else {
      values[i] = ms;
    }
  }
  return numberValues(values, 1, missing);
}

function readNumbers(
  { column, type }: PreparedColumn,
  records: readonly RawRecord[],
  problems: Problems,
): ColumnValues {
  const values = new Float64Array(records.length);
  let missing: Uint8Array | null = null;
  for (let i = 0; i < records.length; i++) {
    const value = records[i]![column];
    if (value === undefined || value === null) {
      missing ??= new Uint8Array(records.length);
      missing[i] = 1;
    } else if (type === 'boolean') {
      if (typeof value !== 'boolean') {
        problems.add(i, column, `true or false but received ${describe(value)}`);
      }
      values[i] = value ? 1 : 0;
    } else if (typeof value !== 'number' || !Number.isFinite(value)) {
      problems.add(i, column, `a finite number but received ${describe(value)}`);
    } else {
      // The table that was trained on had no finer values.
      values[i] = type === 'float32' ? Math.fround(value) : value;
    }
  }
  return numberValues(values, 1, missing);
}

async function readListColumn(
  column: PreparedColumn,
  records: readonly RawRecord[],
  problems: Problems,
): Promise<ColumnValues> {
  const values = new Float64Array(records.length * column.width!);
  const missing = new Uint8Array(records.length);
  await readLists(column, records, values, missing, problems);
  return numberValues(values, column.width!, missing.includes(1) ? missing : null);
}

/** Fills `target` with the lists of all records. `missing` null: a missing value is refused. */
async function readLists(
  column: PreparedColumn,
  records: readonly RawRecord[],
  target: Uint8Array | Float64Array,
  missing: Uint8Array | null,
  problems: Problems,
): Promise<void> {
  const { column: name, type } = column;
  const width = column.width!;
  for (const [i, record] of records.entries()) {
    const value = Object.hasOwn(record, name) ? record[name]! : null;
    if (value === null) {
      if (missing) {
        missing[i] = 1;
      } else if (Object.hasOwn(record, name)) {
        problems.add(i, name, missingProblem);
      }
    } else if (value instanceof Uint8Array) {
      const pixels = await readContent(column, value, (problem) => problems.add(i, name, problem));
      target.set(pixels ?? [], i * width);
    } else if (!Array.isArray(value) || value.length !== width) {
      const received = Array.isArray(value) ? `${value.length}` : describe(value);
      problems.add(i, name, `a list of ${width} numbers${contentHint(column)} but received ${received}`);
    } else {
      readList(value as number[], type === 'float32', target, i * width, (problem) => problems.add(i, name, problem));
    }
  }
}

function readList(
  list: readonly number[],
  isFloat32: boolean,
  target: Uint8Array | Float64Array,
  at: number,
  refuse: (problem: string) => void,
): void {
  const isBytes = target instanceof Uint8Array;
  for (let k = 0; k < list.length; k++) {
    const value = list[k]!;
    if (!Number.isFinite(value) || (isBytes && (value < 0 || value > 255 || !Number.isInteger(value)))) {
      const expected = isBytes ? 'integers from 0 to 255' : 'finite numbers';
      refuse(`a list of ${expected} but received ${describe(value)} at index ${k}`);
      return;
    }
    target[at + k] = isFloat32 ? Math.fround(value) : value;
  }
}

function contentHint({ type }: PreparedColumn): string {
  return type === 'uint8' ? ' or their bytes' : '';
}

/** Exactly as many bytes as the column is wide are the pixels themselves; anything else must be an image of its shape. */
async function readContent(
  { type, width, shape }: PreparedColumn,
  content: Uint8Array,
  refuse: (problem: string) => void,
): Promise<Uint8Array | null> {
  if (type !== 'uint8') {
    refuse(`a list of ${width} numbers but received ${content.length} bytes`);
    return null;
  }
  if (content.length === width) {
    return content;
  }
  const [height, across, channels = 1] = shape;
  if (shape.length < 2 || shape.length > 3 || (channels !== 1 && channels !== 3)) {
    refuse(`${width} bytes but received ${content.length}`);
    return null;
  }
  const pixels = new Uint8Array(height! * across! * channels);
  const [error] = await decodeImages([content], { height: height!, width: across!, channels, resize: null }, pixels);
  if (error) {
    refuse(`${width} bytes of pixels, or ${error.expected} but received ${error.received}`);
    return null;
  }
  return pixels;
}

function writeColumn(
  column: PreparedColumn,
  values: ColumnValues,
  matrix: FeatureTarget,
  problems: Problems,
  first = 0,
): void {
  try {
    writeFeatures(column, values, matrix, null);
  } catch (error) {
    if (!(error instanceof UnusableValueError)) {
      throw error;
    }
    problems.add(first + error.row, column.column, expectationOf(error));
  }
}

/** Completes `Expected the field to be`. */
function expectationOf({ problem }: UnusableValueError): string {
  if (problem === 'missing') {
    return missingProblem;
  }
  return problem.startsWith('not ') ? problem.slice('not '.length) : 'small enough for float32 once it is scaled';
}

function describe(value: RawValue): string {
  if (value instanceof Uint8Array) {
    return `${value.length} bytes`;
  }
  return Array.isArray(value) ? `a list of ${value.length} numbers` : quote(value);
}

/** Bounds how many records one call may bring. */
export function checkRecordCount(count: number, max: number, field = 'records'): void {
  if (count < 1 || count > max) {
    const message = `Expected \`${field}\` to hold 1 to ${max} records but received ${count}.`;
    throw new ServiceError('INVALID_ARGUMENT', 'INVALID_FIELD', message, {
      fieldViolations: [{ field, description: message }],
    });
  }
}
