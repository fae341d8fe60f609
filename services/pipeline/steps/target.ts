import { z } from 'zod';
import { classesOf, type FittedLabel, numberNamesOf } from '../fitted-label.js';
import { randomKey } from '../random-key.js';
import { defineStep, type PreparedStep, type TrainingColumn } from '../step.js';
import { missingOf, numberValues, type ValueType } from '../values.js';
import { categoriesForm, checkCategoriesMax, fitCategories, placesOf } from './categories.js';
import { encode, type TargetSums, targetSums } from './target-sums.js';

const foldsDefault = 5;
const foldsLimit = 20;
const outputsLimit = 100;
/** Of labels, that give a feature for each class or number. */
const severalKinds: readonly FittedLabel['kind'][] = ['classes', 'labels', 'numbers'];
/** Any number, but not one that somebody may have given as the seed of the split: folds must not follow from it. */
const foldSeed = 3_141_592_653_589;

export interface TargetSpec {
  kind: 'target';
  categoriesMax: number | null;
  smooth: number | null;
  folds: number | null;
}

/** [outputs][categories], and what an unseen category gets. */
const encoding = z.strictObject({ values: z.array(z.array(z.number())), unseen: z.array(z.number()) });

const form = z.strictObject({
  kind: z.literal('target'),
  categories: categoriesForm,
  /** Empty: one output, which has the column's name. Else one for each class or number of the label. */
  classes: z.array(z.string()),
  encoding,
  /** What the rows of the training split get: each is encoded from the rows of the other folds. */
  folds: z.array(encoding).min(2),
  foldSeed: z.int().nonnegative(),
});

type Fitted = z.infer<typeof form>;
type Encoding = z.infer<typeof encoding>;

export const target = defineStep<TargetSpec, Fitted>({
  kind: 'target',
  summary: 'the mean target of a category, shrunk towards that of all; in training without the row itself',
  takes: ['number', 'text'],
  isCrossFitted: true,
  form,
  gives: (_, label) => (label !== null && severalKinds.includes(label) ? 'features' : 'number'),
  check({ categoriesMax, smooth, folds }, _, report) {
    checkCategoriesMax(categoriesMax, report);
    report.check(smooth === null || (Number.isFinite(smooth) && smooth >= 0), 'smooth', 'at least 0', smooth);
    const isCount = folds === null || (Number.isInteger(folds) && folds >= 2 && folds <= foldsLimit);
    report.check(isCount, 'folds', `from 2 to ${foldsLimit}`, folds);
  },
  async fit({ categoriesMax, smooth, folds }, column) {
    const categories = (await fitCategories(categoriesMax, column)).map(([category]) => category);
    const places = new Map(categories.map((category, place) => [category, place]));
    const classes = outputNames(column);
    const count = folds ?? foldsDefault;
    const outputs = Math.max(classes.length, 1);
    // The last of the sums leaves no row out.
    const sums = await targetSums(() => labelled(column, places, count), outputs, categories.length, count + 1);
    const encodings = sums.map((one: TargetSums) => encode(one, smooth));
    return {
      kind: 'target',
      categories: categories as number[] | string[],
      classes,
      encoding: encodings.at(-1)!,
      folds: encodings.slice(0, -1),
      foldSeed,
    };
  },
  prepare,
});

/** Of a label with two classes, or a number, one output says all. */
function outputNames({ label, field, refusal }: TrainingColumn): string[] {
  const names = severalKinds.includes(label.kind) ? (classesOf(label) ?? numberNamesOf(label)!) : [];
  if (names.length > outputsLimit) {
    const what = label.kind === 'numbers' ? 'numbers' : 'classes';
    const message = `Expected the label to have at most ${outputsLimit} ${what}, since \`${field}\` gives a feature for each, but it has ${names.length}.`;
    throw refusal('', message);
  }
  return [...names];
}

/** The places and targets of the training rows whose category is there; `groups`: the fold of each. */
async function* labelled(column: TrainingColumn, places: ReadonlyMap<number | string, number>, folds: number) {
  for await (const { values, targets, rows } of column.labelled()) {
    const missing = missingOf(values);
    const categories = Int32Array.from(rows, (_, i) => (missing?.[i] ? -1 : places.get(values.values[i]!)!));
    yield { categories, targets, groups: rows.map((row) => foldOf(foldSeed, row, folds)) };
  }
}

/** From the upper bits of a row's key, which an integer holds after the multiplication. */
function foldOf(seed: number, row: number, folds: number): number {
  return Math.floor((Math.floor(randomKey(seed, row) / 2 ** 32) * folds) / 2 ** 21);
}

function prepare(
  { categories, classes, encoding: whole, folds, foldSeed: seed }: Fitted,
  input: ValueType,
): PreparedStep {
  const places = placesOf(categories, input);
  const outputs = Math.max(classes.length, 1);
  for (const { values, unseen } of [whole, ...folds]) {
    if (values.length !== outputs || unseen.length !== outputs || values.some((one) => one.length !== places.size)) {
      throw new Error('each category needs a number for each output');
    }
  }
  const encodingOf = (i: number, trainingRows: Int32Array | null): Encoding =>
    trainingRows ? folds[foldOf(seed, trainingRows[i]!, folds.length)]! : whole;
  const numberOf = (value: number | string, { values, unseen }: Encoding, output: number): number => {
    const place = places.get(value);
    return place === undefined ? unseen[output]! : values[output]![place]!;
  };
  if (classes.length > 0) {
    return {
      output: null,
      names: classes.map((name) => `.${name}`),
      write({ values }, { values: features, rowWidth, offset }, trainingRows) {
        for (let i = 0; i < values.length; i++) {
          const used = encodingOf(i, trainingRows);
          for (let k = 0; k < outputs; k++) {
            features[i * rowWidth + offset + k] = numberOf(values[i]!, used, k);
          }
        }
      },
    };
  }
  return {
    output: { kind: 'number' },
    apply(column, trainingRows) {
      const missing = missingOf(column);
      const numbers = Float64Array.from(column.values as ArrayLike<number | string | null>, (value, i) =>
        value === null ? 0 : numberOf(value, encodingOf(i, trainingRows), 0),
      );
      return numberValues(numbers, 1, missing);
    },
  };
}
