import type { Data, Field } from 'apache-arrow';
import type { FittedPipeline } from '../../pipeline/index.js';
import type { Arrow } from '../../platform/arrow-messages.js';
import { classProbabilities } from '../labelled-answer.js';
import type { BatchPredictionDraft } from './batch-prediction.js';

/** In the order of the network's outputs; null: the label is a number. */
export function classesOf({ label }: FittedPipeline): readonly string[] | null {
  return label.kind === 'number' ? null : label.classes;
}

type Wanted = Pick<BatchPredictionDraft, 'includeProbability' | 'includeScores'>;

/** A column that is made of a network's answers. */
export interface AnswerColumn {
  name: string;
  /** Index into the classes, for a column of their names; or a number. */
  kind: 'class' | 'number';
  /** From the outputs of one row. */
  read(numbers: Float32Array): number;
}

/** The columns that a job adds, in order. */
export function answerColumns(wanted: Wanted, classes: readonly string[] | null): AnswerColumn[] {
  if (!classes) {
    return [{ name: 'prediction', kind: 'number', read: (numbers) => numbers[0]! }];
  }
  const columns: AnswerColumn[] = [
    { name: 'prediction', kind: 'class', read: (numbers) => likeliest(classProbabilities(numbers)) },
  ];
  if (wanted.includeProbability) {
    const read = (numbers: Float32Array) => {
      const probabilities = classProbabilities(numbers);
      return probabilities[likeliest(probabilities)]!;
    };
    columns.push({ name: 'probability', kind: 'number', read });
  }
  if (wanted.includeScores) {
    for (const [i, label] of classes.entries()) {
      columns.push({ name: `score_${label}`, kind: 'number', read: (numbers) => classProbabilities(numbers)[i]! });
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

/** Lays answers out as Arrow columns. Every column may be null. */
export class AnswerTable {
  readonly #columns: AnswerColumn[];
  readonly #classTexts: Buffer[];

  constructor(
    private readonly arrow: Arrow,
    wanted: Wanted,
    classes: readonly string[] | null,
  ) {
    this.#columns = answerColumns(wanted, classes);
    this.#classTexts = (classes ?? []).map((label) => Buffer.from(label));
  }

  get fields(): Field[] {
    const { Field: ArrowField, Utf8, Float64 } = this.arrow;
    return this.#columns.map(
      ({ name, kind }) => new ArrowField(name, kind === 'class' ? new Utf8() : new Float64(), true),
    );
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
    return this.#columns.map(({ kind, read }) => {
      const values = Float64Array.from(answers, (numbers) => (numbers ? read(numbers) : 0));
      return kind === 'number'
        ? arrow.makeData({ type: new arrow.Float64(), ...rows, data: values })
        : arrow.makeData({ type: new arrow.Utf8(), ...rows, ...this.#texts(answers, values) });
    });
  }

  #texts(answers: readonly (Float32Array | null)[], classIndices: Float64Array) {
    const nothing = Buffer.alloc(0);
    const parts = answers.map((numbers, row) => (numbers ? this.#classTexts[classIndices[row]!]! : nothing));
    const valueOffsets = new Int32Array(parts.length + 1);
    for (const [i, { length }] of parts.entries()) {
      valueOffsets[i + 1] = valueOffsets[i]! + length;
    }
    return { valueOffsets, data: Buffer.concat(parts) };
  }
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
