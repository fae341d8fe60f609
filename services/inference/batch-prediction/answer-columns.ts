import type { Data, DataType, Field } from 'apache-arrow';
import { classesOf, type FittedLabel } from '../../pipeline/index.js';
import type { Arrow } from '../../platform/arrow-messages.js';
import { classProbabilities, isChosen } from '../labelled-answer.js';
import type { BatchPredictionDraft } from './batch-prediction.js';

type Wanted = Pick<BatchPredictionDraft, 'includeProbability' | 'includeScores'>;

/** A column that is made of a network's answers, the outputs of one row at a time. */
export type AnswerColumn =
  | { name: string; kind: 'number'; read(numbers: Float32Array): number }
  /** A name, by its index among the classes. */
  | { name: string; kind: 'class'; read(numbers: Float32Array): number }
  /** A list of names. */
  | { name: string; kind: 'classes'; read(numbers: Float32Array): number[] };

/** The columns that a job adds, in order. */
export function answerColumns(wanted: Wanted, label: FittedLabel): AnswerColumn[] {
  if (label.kind === 'number') {
    return [{ name: 'prediction', kind: 'number', read: (numbers) => numbers[0]! }];
  }
  if (label.kind === 'numbers') {
    return label.columns.map((column, i) => {
      return { name: `prediction_${column}`, kind: 'number', read: (numbers) => numbers[i]! };
    });
  }
  const isMulti = label.kind === 'labels';
  const probabilitiesOf = (numbers: Float32Array) => (isMulti ? numbers : classProbabilities(numbers));
  const columns: AnswerColumn[] = isMulti
    ? [{ name: 'prediction', kind: 'classes', read: chosen }]
    : [{ name: 'prediction', kind: 'class', read: (numbers) => likeliest(probabilitiesOf(numbers)) }];
  if (wanted.includeProbability) {
    const read = (numbers: Float32Array) => {
      const probabilities = probabilitiesOf(numbers);
      return probabilities[likeliest(probabilities)]!;
    };
    columns.push({ name: 'probability', kind: 'number', read });
  }
  if (wanted.includeScores) {
    for (const [i, name] of label.classes.entries()) {
      columns.push({ name: `score_${name}`, kind: 'number', read: (numbers) => probabilitiesOf(numbers)[i]! });
    }
  }
  return columns;
}

/** The first of the likeliest. */
function likeliest(probabilities: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < probabilities.length; i++) {
    if (probabilities[i]! > probabilities[best]!) {
      best = i;
    }
  }
  return best;
}

/** Those of classes that do not exclude each other, likeliest first. */
function chosen(probabilities: Float32Array): number[] {
  const places = Array.from(probabilities.keys()).filter((place) => isChosen(probabilities[place]!));
  return places.sort((a, b) => probabilities[b]! - probabilities[a]!);
}

/** Lays answers out as Arrow columns. Every column may be null. */
export class AnswerTable {
  readonly #columns: AnswerColumn[];
  readonly #classTexts: Buffer[];

  constructor(
    private readonly arrow: Arrow,
    wanted: Wanted,
    label: FittedLabel,
  ) {
    this.#columns = answerColumns(wanted, label);
    this.#classTexts = (classesOf(label) ?? []).map((name) => Buffer.from(name));
  }

  get fields(): Field[] {
    return this.#columns.map(({ name, kind }) => new this.arrow.Field(name, this.#typeOf(kind), true));
  }

  /** Bytes that a row takes, about. */
  get rowBytes(): number {
    return this.#columns.length * Float64Array.BYTES_PER_ELEMENT;
  }

  /** @param answers the outputs of each row; null: the row was skipped */
  columns(answers: readonly (Float32Array | null)[]): Data[] {
    const nullCount = answers.filter((numbers) => numbers === null).length;
    const nullBitmap = nullCount > 0 ? bitmapOf(answers) : undefined;
    const { arrow } = this;
    const rows = { length: answers.length, nullCount, nullBitmap };
    return this.#columns.map((column) => {
      if (column.kind === 'number') {
        const data = Float64Array.from(answers, (numbers) => (numbers ? column.read(numbers) : 0));
        return arrow.makeData({ type: new arrow.Float64(), ...rows, data });
      }
      // Of a row that was skipped no name, and no list.
      const places = answers.map((numbers) => (numbers ? [column.read(numbers)].flat() : []));
      if (column.kind === 'class') {
        return arrow.makeData({ type: new arrow.Utf8(), ...rows, ...this.#texts(places) });
      }
      const names = places.flat().map((place) => [place]);
      const child = arrow.makeData({ type: new arrow.Utf8(), length: names.length, ...this.#texts(names) });
      const valueOffsets = offsetsOf(places.map(({ length }) => length));
      return arrow.makeData({ type: this.#typeOf('classes'), ...rows, valueOffsets, child });
    });
  }

  #typeOf(kind: 'number' | 'class'): DataType;
  #typeOf(kind: 'classes'): InstanceType<Arrow['List']>;
  #typeOf(kind: AnswerColumn['kind']): DataType;
  #typeOf(kind: AnswerColumn['kind']): DataType {
    const { Field: ArrowField, Float64, List, Utf8 } = this.arrow;
    return kind === 'number'
      ? new Float64()
      : kind === 'class'
        ? new Utf8()
        : new List(new ArrowField('item', new Utf8(), true));
  }

  /** @param places of the class of each row; none: no text */
  #texts(places: readonly number[][]) {
    const parts = places.flat().map((place) => this.#classTexts[place]!);
    const lengths = places.map(([place]) => (place === undefined ? 0 : this.#classTexts[place]!.length));
    return { valueOffsets: offsetsOf(lengths), data: Buffer.concat(parts) };
  }
}

/** Where each of some parts begins, and the last one ends. */
function offsetsOf(lengths: readonly number[]): Int32Array {
  const offsets = new Int32Array(lengths.length + 1);
  for (const [i, length] of lengths.entries()) {
    offsets[i + 1] = offsets[i]! + length;
  }
  return offsets;
}

/** One bit a row, least significant first; 0: the row was skipped. */
function bitmapOf(answers: readonly (Float32Array | null)[]): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(answers.length / 8));
  for (const [row, numbers] of answers.entries()) {
    if (numbers) {
      bitmap[row >> 3]! |= 1 << (row & 7);
    }
  }
  return bitmap;
}
