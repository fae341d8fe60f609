import { ServiceError } from '../platform/errors.js';

/** What a version's outputs mean. */
export interface OutputMeaning {
  /**
   * In the order of the columns of its one output; two with a single column, the probability of the second. Null: the outputs are
   * numbers.
   */
  classes: readonly string[] | null;
  /** A row may be of several classes, or of none: each output is the probability of one. */
  multiLabel: boolean;
  /** Names of several numbers, one an output; null: there is one at most that is a label. */
  numbers: readonly string[] | null;
}

export interface ClassScore {
  label: string;
  probability: number;
}

/**
 * What a model says about one record: classes with their probabilities, likeliest first, or a number, or several by name. `labels`: those of the classes that it is
 * of, likeliest first, where it may be of several or none.
 */
export type LabelledAnswer =
  | { scores: ClassScore[]; labels?: string[] }
  | { number: number }
  | { numbers: { name: string; value: number }[] };

/** Reads a network's output, `rows` times its width, as answers in the words of the training data. */
export function labelAnswers(output: Float32Array, rows: number, meaning: OutputMeaning): LabelledAnswer[] {
  const { classes, multiLabel, numbers } = meaning;
  return outputRows(output, rows, meaning).map((values) => {
    if (numbers) {
      return { numbers: numbers.map((name, i) => ({ name, value: values[i]! })) };
    }
    if (!classes) {
      return { number: values[0]! };
    }
    const scores = toScores(classes, multiLabel ? values : classProbabilities(values));
    if (!multiLabel) {
      return { scores };
    }
    return { scores, labels: scores.filter(({ probability }) => isChosen(probability)).map(({ label }) => label) };
  });
}

/** Whether a record is of a class that does not exclude others, as accuracy counts it in training. */
export function isChosen(probability: number): boolean {
  return probability > 0.5;
}

/**
 * A network's output row by row, each of finite numbers that have a meaning as a label.
 * @param field name of the list of records, for messages
 * @param firstIndex place of the first row in that list
 */
export function outputRows(
  output: Float32Array,
  rows: number,
  { classes, numbers }: Pick<OutputMeaning, 'classes' | 'numbers'>,
  field = 'records',
  firstIndex = 0,
): Float32Array[] {
  const width = output.length / rows;
  if (!classes && !numbers && width !== 1) {
    const message = `The model has ${width} outputs without names, which have no meaning as a label. Ask for them by ModelInfer.`;
    throw new ServiceError('FAILED_PRECONDITION', 'NOT_LABELLED', message);
  }
  return Array.from({ length: rows }, (_, row) => {
    const values = output.subarray(row * width, (row + 1) * width);
    if (!values.every(Number.isFinite)) {
      const message = `The answer to \`${field}[${firstIndex + row}]\` is too large for the model's numbers. Check its values.`;
      throw new ServiceError('OUT_OF_RANGE', 'ANSWER_NOT_FINITE', message);
    }
    return values;
  });
}

/** The probability of each of classes that exclude each other, in their order. */
export function classProbabilities(numbers: Float32Array): ArrayLike<number> {
  // A single output is the probability of the second class.
  return numbers.length === 1 ? [1 - numbers[0]!, numbers[0]!] : numbers;
}

function toScores(classes: readonly string[], probabilities: ArrayLike<number>): ClassScore[] {
  return classes
    .map((label, i) => ({ label, probability: probabilities[i]! }))
    .sort((a, b) => b.probability - a.probability);
}
