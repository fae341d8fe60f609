import type { OutputMeaning } from './labelled-answer.js';
import type { Datatype, TensorSpec } from './tensor.js';
import { rowElements } from './tensor.js';
import { readNumbers } from './tensor-numbers.js';

/** What a version answers with. */
export interface AnswerForm extends OutputMeaning {
  outputs: readonly TensorSpec[];
}

export interface Comparison {
  isEqual: boolean;
  /** Largest absolute difference between two numbers of the answers; 0 where nothing was compared by number. */
  differenceMax: number;
}

interface Tolerance {
  absolute: number;
  /** Of the larger magnitude. */
  relative: number;
}

/**
 * Numbers that are as near are equal. Two versions of the same weights need not agree to the last bit: batches of other sizes, other
 * instruction sets and quantised weights add in another order. Each of a thousand products rounds by up to 2^-24 of its size in
 * FP32 (2^-11 in FP16, 2^-8 in BF16, whose answers are rounded once more), and the rounding of one layer goes through the next: a thousandth is well
 * above what that adds up to, and well below what another training makes of an answer.
 */
const tolerances: Partial<Record<Datatype, Tolerance>> = {
  FP32: { absolute: 1e-5, relative: 1e-3 },
  FP64: { absolute: 1e-5, relative: 1e-3 },
  FP16: { absolute: 1e-3, relative: 1e-2 },
  BF16: { absolute: 1e-3, relative: 2e-2 },
};

/** Whether answers of one version can be held against those of the other. */
export function isComparable(a: AnswerForm, b: AnswerForm): boolean {
  return (
    a.multiLabel === b.multiLabel &&
    isSameList(a.classes ?? [], b.classes ?? []) &&
    isSameList(a.numbers ?? [], b.numbers ?? []) &&
    a.outputs.length === b.outputs.length &&
    a.outputs.every((output, i) => isSameTensor(output, b.outputs[i]!))
  );
}

export function isSameTensor(a: TensorSpec, b: TensorSpec): boolean {
  return a.name === b.name && a.datatype === b.datatype && isSameList(a.shape, b.shape);
}

const isSameList = <T>(a: readonly T[], b: readonly T[]) =>
  a.length === b.length && a.every((element, i) => element === b[i]);

/**
 * Compares answers of the same form. Classifiers are equal when they choose the same class, or classes, in every row; numbers within the
 * tolerance; all else bit by bit.
 */
export function compareAnswers(
  a: readonly Uint8Array[],
  b: readonly Uint8Array[],
  rows: number,
  { outputs, classes, multiLabel }: AnswerForm,
): Comparison {
  let isEqual = true;
  let differenceMax = 0;
  for (const [i, output] of outputs.entries()) {
    const tolerance = tolerances[output.datatype];
    if (!tolerance) {
      isEqual &&= Buffer.compare(a[i]!, b[i]!) === 0;
      continue;
    }
    const [ours, theirs] = [a, b].map((answer) => readNumbers(answer[i]!, output.datatype) as number[]);
    const compared = compareNumbers(ours!, theirs!, tolerance);
    differenceMax = Math.max(differenceMax, compared.differenceMax);
    // Of several classes each is chosen or not by itself, as of a single one.
    const width = multiLabel ? 1 : rowElements(output);
    const choices = multiLabel ? ours!.length : rows;
    isEqual &&= classes ? isSameChoice(ours!, theirs!, choices, width) : compared.isEqual;
  }
  return { isEqual, differenceMax };
}

function compareNumbers(a: readonly number[], b: readonly number[], { absolute, relative }: Tolerance): Comparison {
  let isEqual = a.length === b.length;
  let differenceMax = 0;
  for (let i = 0; i < a.length && i < b.length; i++) {
    const [x, y] = [a[i]!, b[i]!];
    if (Object.is(x, y) || x === y) {
      continue;
    }
    const difference = Math.abs(x - y);
    // False where one of the two is NaN or infinite: no number is near those.
    isEqual &&=
      difference < Number.POSITIVE_INFINITY && difference <= absolute + relative * Math.max(Math.abs(x), Math.abs(y));
    if (difference > differenceMax) {
      differenceMax = difference;
    }
  }
  return { isEqual, differenceMax };
}

function isSameChoice(a: readonly number[], b: readonly number[], rows: number, width: number): boolean {
  for (let row = 0; row < rows; row++) {
    if (choice(a, row * width, width) !== choice(b, row * width, width)) {
      return false;
    }
  }
  return true;
}

/** The likeliest class of a row; a single output is the probability of the second class. -1: there is NaN, which chooses none. */
function choice(numbers: readonly number[], begin: number, width: number): number {
  let best = 0;
  for (let i = 0; i < width; i++) {
    if (Number.isNaN(numbers[begin + i])) {
      return -1;
    }
    if (numbers[begin + i]! > numbers[begin + best]!) {
      best = i;
    }
  }
  return width > 1 ? best : Number(numbers[begin]! > 0.5);
}
