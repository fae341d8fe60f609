import { ServiceError } from '../platform/errors.js';

export interface ClassScore {
  label: string;
  probability: number;
}

/** What a model says about one record: classes with their probabilities, likeliest first, or a number. */
export type LabelledAnswer = { scores: ClassScore[] } | { number: number };

/** Reads a network's output, `rows` times its width, as answers in the words of the training data. */
export function labelAnswers(output: Float32Array, rows: number, classes: readonly string[] | null): LabelledAnswer[] {
  return outputRows(output, rows, classes).map((numbers) =>
    classes ? { scores: toScores(numbers, classes) } : { number: numbers[0]! },
  );
}

/**
 * A network's output row by row, each of finite numbers that have a meaning as a label.
 * @param field name of the list of records, for messages
 * @param firstIndex place of the first row in that list
 */
export function outputRows(
  output: Float32Array,
  rows: number,
  classes: readonly string[] | null,
  field = 'records',
  firstIndex = 0,
): Float32Array[] {
  const width = output.length / rows;
  if (!classes && width !== 1) {
    const message = `The model has ${width} outputs without names, which have no meaning as a label. Ask for them by ModelInfer.`;
    throw new ServiceError('FAILED_PRECONDITION', 'NOT_LABELLED', message);
  }
  return Array.from({ length: rows }, (_, row) => {
    const numbers = output.subarray(row * width, (row + 1) * width);
    if (!numbers.every(Number.isFinite)) {
      const message = `The answer to \`${field}[${firstIndex + row}]\` is too large for the model's numbers. Check its values.`;
      throw new ServiceError('OUT_OF_RANGE', 'ANSWER_NOT_FINITE', message);
    }
    return numbers;
  });
}

/** The probability of each class, in the order of the classes. */
export function classProbabilities(numbers: Float32Array): ArrayLike<number> {
  // A single output is the probability of the second class.
  return numbers.length === 1 ? [1 - numbers[0]!, numbers[0]!] : numbers;
}

function toScores(numbers: Float32Array, classes: readonly string[]): ClassScore[] {
  const probabilities = classProbabilities(numbers);
  return classes
    .map((label, i) => ({ label, probability: probabilities[i]! }))
    .sort((a, b) => b.probability - a.probability);
}
