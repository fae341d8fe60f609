import {
  type ColumnChunk,
  type FittedLabel,
  type FittedLabels,
  type FittedNumbers,
  firstMissing,
  gatherValues,
  UnsafeIntegerError,
  ValueMap,
} from '../pipeline/index.js';
import { ServiceError } from '../platform/errors.js';

export const classesMax = 10_000;

/** The labels of some rows, none missing: numbers (booleans as 0 and 1) or texts. */
export type LabelValues = Float64Array | readonly string[];

/** @param firstRow rows of the table before the chunk */
export function readLabels(column: string, chunk: ColumnChunk, rows: Int32Array, firstRow: number): LabelValues {
  const gathered = gatherLabels(column, chunk, rows, firstRow);
  const missing = firstMissing(gathered);
  if (missing >= 0) {
    throw invalidLabel(`Expected every row to have a label but ${where(column, firstRow + rows[missing]!)} has none.`);
  }
  return gathered.values as LabelValues;
}

/** Missing ones as they lie. @throws ServiceError for an integer that is too large to be read */
export function gatherLabels(column: string, chunk: ColumnChunk, rows: Int32Array, firstRow: number) {
  try {
    return gatherValues(chunk, rows);
  } catch (error) {
    throw error instanceof UnsafeIntegerError
      ? invalidLabel(`Expected integers up to 2^53 but ${where(column, firstRow + error.row)} holds ${error.value}.`)
      : error;
  }
}

export function where(column: string, row: number): string {
  return `column ${JSON.stringify(column)} in row ${row + 1}`;
}

export function invalidLabel(message: string): ServiceError {
  return new ServiceError('INVALID_ARGUMENT', 'INVALID_LABEL', message, {
    fieldViolations: [{ field: 'spec.label', description: message }],
  });
}

export function unknownClass(classes: readonly string[], column: string, row: number, received: string): ServiceError {
  const known = classes.slice(0, 20).join(', ');
  return invalidLabel(
    `Expected labels from the classes of the training split (${known}) but ${where(column, row)} holds ${JSON.stringify(received)}.`,
  );
}

/** Name of a class. Booleans are called false and true. */
export function className(value: number | string, isBoolean: boolean): string {
  return isBoolean ? String(value === 1) : String(value);
}

/** Turns labels into targets, one a row. */
export class TargetEncoder {
  readonly #places = new ValueMap<number>();
  readonly #classes: string[] | null;

  constructor(
    private readonly label: Exclude<FittedLabel, FittedLabels | FittedNumbers>,
    private readonly isBoolean: boolean,
  ) {
    this.#classes = label.kind === 'number' ? null : label.classes;
  }

  /** Class indices, or the numbers themselves. @throws ServiceError for a label outside the classes */
  encode(labels: LabelValues, rows: Int32Array, firstRow: number): Int32Array | Float32Array {
    const { kind } = this.label;
    const targets = kind === 'classes' ? new Int32Array(labels.length) : new Float32Array(labels.length);
    for (let i = 0; i < labels.length; i++) {
      const value = labels[i]!;
      targets[i] = kind === 'number' ? this.#numberOf(value as number) : this.#placeOf(value, firstRow + rows[i]!);
    }
    if (kind === 'number') {
      const i = targets.findIndex((target) => !Number.isFinite(target));
      if (i >= 0) {
        const place = where(this.label.column, firstRow + rows[i]!);
        throw invalidLabel(`Expected labels that fit into float32 but ${place} holds ${labels[i]}.`);
      }
    }
    return targets;
  }

  #numberOf(value: number): number {
    const standardise = this.label.kind === 'number' ? this.label.standardise : undefined;
    return standardise ? (value - standardise.subtract) / standardise.divide : value;
  }

  #placeOf(value: number | string, row: number): number {
    let place = this.#places.get(value);
    if (place === undefined) {
      place = this.#classes!.indexOf(className(value, this.isBoolean));
      if (place < 0) {
        throw unknownClass(this.#classes!, this.label.column, row, className(value, this.isBoolean));
      }
      this.#places.set(value, place);
    }
    return place;
  }
}
