import { readTimeText } from '../../pipeline/index.js';
import { quote } from '../../platform/errors.js';
import { type Column, type ColumnType, columnsMax, typeName } from '../column.js';
import type { GivenTypes } from './given-types.js';
import { type JsonField, JsonRecordError } from './json-record.js';
import { isTimeType, TimeInference, type TimeType, timeExample, timeValue } from './time-texts.js';

/** What a field is, each number kind a part of the next. */
type FieldType = 'boolean' | 'integer' | 'number' | 'text' | 'integers' | 'numbers' | 'object';
/** A field with a value of its own. */
type JsonValue = Exclude<JsonField, { kind: 'object' }>;

interface JsonColumn {
  name: string;
  /** Null: all fields so far are null. */
  type: FieldType | null;
  /** Of lists. */
  width: number;
  given: ColumnType | null;
  /** Of texts that have all been times; null: some were not. */
  times: TimeInference | null;
}

const words: Record<FieldType, string> = {
  boolean: 'true or false',
  integer: 'numbers',
  number: 'numbers',
  text: 'text',
  integers: 'lists of numbers',
  numbers: 'lists of numbers',
  object: 'objects',
};
const scalars: readonly FieldType[] = ['boolean', 'integer', 'number', 'text'];

/**
 * Finds the columns of JSON records, in the order in which their names come, and the type of each. An object is no column: its fields
 * are.
 */
export class JsonColumns {
  readonly #columns = new Map<string, JsonColumn>();

  constructor(private readonly given: GivenTypes) {}

  add(name: string, field: JsonField): void {
    let column = this.#columns.get(name);
    if (!column) {
      if (this.#columns.size >= columnsMax) {
        throw new JsonRecordError(`Expected at most ${columnsMax} columns but received more`);
      }
      if (name === '') {
        throw new JsonRecordError('Expected fields with names but one has none');
      }
      column = { name, type: null, width: 1, given: this.given.get(name) ?? null, times: new TimeInference() };
      this.#columns.set(name, column);
    }
    if (field.kind === 'null') {
      return;
    }
    if (column.given) {
      checkGiven(name, column.given, field);
    }
    // What is given as numbers may be lists of such, all of one length.
    if (column.given === null || column.given.kind === 'number') {
      widen(column, field);
    }
  }

  finish(): Column[] {
    const columns = [...this.#columns.values()].filter(({ type }) => type !== 'object');
    return columns.map(({ name, type, width, given, times }) => ({
      name,
      type: listOf(given, type, width) ?? given ?? (type === 'text' ? times?.type : null) ?? columnTypeOf(type, width),
      shape: [],
    }));
  }
}

function widen(column: JsonColumn, field: Exclude<JsonField, { kind: 'null' }>): void {
  const type = typeOf(field);
  const width = field.kind === 'numbers' ? field.texts.length : 1;
  const before = column.type ?? type;
  if (words[before] !== words[type]) {
    throw unfit(column.name, `${words[before]}, as before`, field, mixingHint(column.name, [before, type]));
  }
  if (column.type !== null && width !== column.width) {
    throw unfit(column.name, `lists of ${column.width} numbers, as before`, field);
  }
  const isInteger = (one: FieldType) => one === 'integer' || one === 'integers';
  column.type = isInteger(before) ? type : before;
  column.width = width;
  if (field.kind === 'text' && column.times?.add(readTimeText(field.value)) === false) {
    column.times = null;
  }
}

function mixingHint(name: string, types: readonly FieldType[]): string {
  if (types.includes('object')) {
    return `${fieldsHint(name)}, so each record has an object or null here, or leaves it out`;
  }
  return types.every((type) => scalars.includes(type)) ? 'Text is what takes every kind: give the type Utf8' : '';
}

function fieldsHint(name: string): string {
  return `The fields of an object are columns, named like ${JSON.stringify(`${name}.field`)}`;
}

function typeOf(field: Exclude<JsonField, { kind: 'null' }>): FieldType {
  if (field.kind === 'number') {
    return isInt64(field.text) ? 'integer' : 'number';
  }
  if (field.kind === 'numbers') {
    return field.texts.every(isInt64) ? 'integers' : 'numbers';
  }
  return field.kind;
}

function listOf(given: ColumnType | null, type: FieldType | null, width: number): ColumnType | null {
  const isList = type === 'integers' || type === 'numbers';
  return isList && given?.kind === 'number' ? { kind: 'list', type: given.type, width } : null;
}

function columnTypeOf(type: FieldType | null, width: number): ColumnType {
  switch (type) {
    case 'boolean':
      return { kind: 'boolean' };
    case 'integer':
      return { kind: 'number', type: 'int64' };
    case 'number':
      return { kind: 'number', type: 'float64' };
    case 'integers':
      return { kind: 'list', type: 'int64', width };
    case 'numbers':
      return { kind: 'list', type: 'float64', width };
    default:
      return { kind: 'text', large: false };
  }
}

function isInteger(text: string, bits: number, signed: boolean): boolean {
  if (!/^-?\d+$/.test(text) || text.length > 20) {
    return false;
  }
  const value = BigInt(text);
  return (signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)) === value;
}

const isInt64 = (text: string) => (text.length < 18 ? /^-?\d+$/.test(text) : isInteger(text, 64, true));

function checkGiven(name: string, given: ColumnType, field: JsonField): void {
  if (isTimeType(given)) {
    if (field.kind !== 'text' || timeValue(given, readTimeText(field.value)) === null) {
      throw unfit(name, `${typeName(given)}, ${timeExample(given)}`, field);
    }
    return;
  }
  if (given.kind === 'number' && field.kind === 'numbers') {
    const misfit = field.texts.find((text) => !fitsNumber(given.type, text));
    if (misfit !== undefined) {
      throw unfit(name, `lists of ${typeName(given)}, as given`, { kind: 'number', text: misfit });
    }
  } else if (!isOf(given, field)) {
    throw unfit(name, `${typeName(given)}, as given`, field, field.kind === 'object' ? fieldsHint(name) : '');
  }
}

function isOf(given: ColumnType, field: JsonField): boolean {
  switch (given.kind) {
    case 'text':
      return field.kind !== 'numbers' && field.kind !== 'object';
    case 'number':
      return field.kind === 'number' && fitsNumber(given.type, field.text);
    default:
      return field.kind === given.kind;
  }
}

function fitsNumber(type: string, text: string): boolean {
  const integer = /^(u?)int(\d+)$/.exec(type);
  return !integer || isInteger(text, Number(integer[2]), integer[1] === '');
}

function unfit(name: string, expected: string, field: JsonField, hint = ''): JsonRecordError {
  const message = `Expected column ${JSON.stringify(name)} to hold ${expected}, but received ${textOf(field)}`;
  return new JsonRecordError(hint === '' ? message : `${message}. ${hint}`);
}

function textOf(field: JsonField): string {
  switch (field.kind) {
    case 'null':
      return 'null';
    case 'boolean':
      return String(field.value);
    case 'number':
      return quote(field.text).slice(1, -1);
    case 'text':
      return quote(field.value);
    case 'numbers':
      return `a list of ${field.texts.length}`;
    case 'object':
      return 'an object';
  }
}

/** The field as the builder of a column of this type takes it. */
export function columnValue(type: ColumnType, field: JsonValue): unknown {
  switch (field.kind) {
    case 'null':
      return null;
    case 'boolean':
      return type.kind === 'text' ? String(field.value) : field.value;
    case 'text':
      return isTimeType(type) ? writtenTime(type, field.value) : field.value;
    case 'number':
      return type.kind === 'text' ? field.text : toNumber(type, field.text);
    case 'numbers':
      return field.texts.map((text) => toNumber(type, text));
  }
}

function writtenTime(type: TimeType, text: string): number | bigint {
  const value = timeValue(type, readTimeText(text));
  if (value === null) {
    throw new JsonRecordError(`Expected the file to stay as it was but received ${quote(text)} for ${typeName(type)}`);
  }
  return value;
}

function toNumber(type: ColumnType, text: string): number | bigint {
  const isWide = 'type' in type && type.type.endsWith('int64');
  return isWide ? BigInt(text) : Number(text);
}
