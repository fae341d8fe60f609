import type { z } from 'zod';
import type { FittedLabel } from './fitted-label.js';
import type { NumberMoments } from './statistics.js';
import type { ColumnValues, ListType, ValueType } from './values.js';

/**
 * One kind of step: all that there is to know of it stands in one file. A specification (`S`) is what was asked for, with null
 * for what is left to the default or to the training split. A fitted step (`F`) is its JSON form: numbers and vocabularies.
 */
export interface StepDefinition<S extends { kind: string }, F extends { kind: string }> {
  /** Name in the JSON form; in the contract it is the same in snake case. */
  readonly kind: F['kind'];
  /** For the documentation, in one line. */
  readonly summary: string;
  /** What it can follow. */
  readonly takes: readonly ValueType['kind'][];
  /** The JSON form. */
  readonly form: z.ZodType<F>;
  /**
   * What comes out: values of the same type, single numbers, texts, lists; or features, after which no step can follow.
   * @param label its kind; null: not known
   * @param input null: not known, or not what the step takes
   */
  gives(
    spec: S,
    label: FittedLabel['kind'] | null,
    input: ValueType | null,
  ): 'same' | 'number' | 'text' | ListType | 'features';
  /** Notes settings that no data could make right. `input` null: not known. */
  check?(spec: S, input: ValueType | null, report: SettingReport): void;
  /** Whether its transform of a training row depends on which row it is. */
  readonly isCrossFitted?: boolean;
  /** Learns from the training split. The same values give the same answer, however they are cut into batches. */
  fit(spec: S, column: TrainingColumn): F | Promise<F>;
  /** @throws Error for a fitted step whose parts do not fit together, or not its input */
  prepare(fitted: F, input: ValueType): PreparedStep;
}

/** Where a step's settings are refused. Names are the contract's. */
export interface SettingReport {
  /** The step's own name in messages, for example `spec.columns[0].steps[1].scale`. */
  readonly field: string;
  /** Of the column, for messages. */
  readonly column: string;
  /** Notes that a setting holds `value` where `expected` is allowed, unless `ok`. Returns `ok`. */
  check(ok: boolean, setting: string, expected: string, value: unknown): boolean;
  /** @param setting empty: the step itself */
  add(setting: string, description: string): void;
}

/** The training rows of a column, after the steps before the one to be fitted. Each reading starts anew. */
export interface TrainingColumn {
  readonly name: string;
  /** The step's own name in messages, for example `spec.columns[0].steps[1].scale`. */
  readonly field: string;
  readonly label: FittedLabel;
  /** What the steps before it give. */
  readonly input: ValueType;
  /** Values that are there, batch by batch: numbers, or texts. */
  present(): AsyncIterable<Float64Array | string[]>;
  /** How often each value occurs, as of `countsOf`. */
  counts(distinctMax: number): Promise<Map<number | string, number>>;
  /** Of the numbers that are there, all items of lists. */
  moments(): Promise<NumberMoments>;
  /** As `present`, for a step that takes numbers only. */
  numbers(): AsyncIterable<Float64Array>;
  /** As `present`, for a step that takes texts only. */
  texts(): AsyncIterable<string[]>;
  /** Values with the targets of their rows: class indices, or numbers, `targetWidth` a row. `rows`: their numbers in the table, from 0. */
  labelled(): AsyncIterable<{ values: ColumnValues; targets: ArrayLike<number>; rows: Int32Array }>;
  /** Passes a statistic on. @throws when it is null (all values are missing) or beyond float64 */
  usable<T extends number | string>(statistic: T | null): T;
  /** @param setting the contract's name; empty: the step itself */
  refusal(setting: string, message: string): Error;
}

/** Where features go: row-major float32 [rows, rowWidth], zeros so far; a step writes from `offset` on. */
export interface FeatureTarget {
  values: Float32Array;
  rowWidth: number;
  offset: number;
}

/**
 * A fitted step with what its transform needs at hand. `trainingRows`: what is transformed are these rows of the training
 * split, by their number in the table; null: any others.
 */
export type PreparedStep = DecodingStep | MappingStep | EncodingStep;

/** Turns files into lists of numbers, while others wait for theirs. It is the first step, since no other gives files. */
export type DecodingStep = DecodingTo<'uint8', Uint8Array> | DecodingTo<'float64', Float64Array>;

export interface DecodingTo<Type extends string, Items extends Uint8Array | Float64Array> {
  output: ListType;
  /** Of the numbers. */
  items: Type;
  /**
   * Writes the numbers of some files, `output.width` each, one file after another. Answers for each, where it is refused, what completes
   * `Expected the value to be`; null where it is not.
   * @param contents null: its place is passed over
   * @param target zeros, and so they stay where nothing is written
   */
  decode(contents: readonly (Uint8Array | null)[], target: Items): Promise<(string | null)[]>;
}

/** Turns values into values. Those that are missing stay so, unless it fills them. */
export interface MappingStep {
  output: ValueType;
  /** One more feature says which values were missing before this step. */
  flagsMissing?: boolean;
  /** The same for single numbers, to be done by the engine: what is missing is filled, or y = (x - subtract) / divide. */
  inEngine?: { filling: number } | { subtract: number; divide: number };
  apply(column: ColumnValues, trainingRows: Int32Array | null): ColumnValues;
}

/** Turns values into features; none is missing, and none is refused. */
export interface EncodingStep {
  output: null;
  /** One a feature; each is appended to the name of the column. */
  names: readonly string[];
  /** The same for texts, to be done by the engine: a feature a category, and one for any other text. */
  inEngine?: { categories: readonly string[]; hasUnseen: boolean };
  write(column: ColumnValues, target: FeatureTarget, trainingRows: Int32Array | null): void;
}

/** A value that a step cannot transform. `row`: from 0 among the rows that were given. */
export class UntransformableError extends Error {
  override readonly name = 'UntransformableError';

  /** @param expected completes `Expected the value to be` */
  constructor(
    readonly row: number,
    readonly expected: string,
  ) {
    super(`row ${row}: expected a value ${expected}`);
  }
}

/** Gives a step its types. */
export function defineStep<S extends { kind: string }, F extends { kind: string }>(
  definition: StepDefinition<S, F>,
): StepDefinition<S, F> {
  return definition;
}

/** A step that turns each number into another, wherever it stands. */
export function mapNumbers(input: ValueType, map: (values: Float64Array) => void): MappingStep {
  return {
    output: input,
    apply(column) {
      map(column.values as Float64Array);
      return column;
    },
  };
}

/** A step that turns each single value into a number. `map` never sees a missing value. */
export function mapToNumber(map: (value: number | string) => number): MappingStep {
  return {
    output: { kind: 'number' },
    apply({ values, ...column }) {
      const numbers = new Float64Array(values.length);
      let missing = column.kind === 'numbers' ? column.missing : null;
      for (let i = 0; i < values.length; i++) {
        const value = values[i]!;
        if (value === null) {
          missing ??= new Uint8Array(values.length);
          missing[i] = 1;
        } else {
          numbers[i] = map(value);
        }
      }
      return { kind: 'numbers', values: numbers, width: 1, missing };
    },
  };
}
