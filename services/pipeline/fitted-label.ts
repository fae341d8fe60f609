import { z } from 'zod';

const units = z.strictObject({
  subtract: z.number(),
  divide: z.number().refine((value) => value !== 0, 'must not be 0'),
});

/** The label's JSON form. */
export const fittedLabel = z.discriminatedUnion('kind', [
  z.strictObject({ column: z.string(), kind: z.literal('classes'), classes: z.array(z.string()).min(2) }),
  z.strictObject({ column: z.string(), kind: z.literal('binary'), classes: z.array(z.string()).length(2) }),
  z.strictObject({
    column: z.string(),
    kind: z.literal('number'),
    /** The target is (label - subtract) / divide; unset: the label itself. */
    standardise: units.optional(),
  }),
  z
    .strictObject({
      kind: z.literal('numbers'),
      columns: z.array(z.string()).min(2),
      /** As of a single number, one a column. */
      standardise: z.array(units).optional(),
    })
    .refine(({ columns, standardise }) => !standardise || standardise.length === columns.length, {
      path: ['standardise'],
      message: 'must have an entry for each column',
    }),
  z.strictObject({
    kind: z.literal('labels'),
    /** One of lists of text, or of text that `separator` parts; without it perhaps one of truth values for each class, in their order. */
    columns: z.array(z.string()).min(1),
    separator: z.string().min(1).optional(),
    classes: z.array(z.string()).min(1),
  }),
]);

export type FittedLabel = z.infer<typeof fittedLabel>;
/** A label of any number of classes at once. */
export type FittedLabels = Extract<FittedLabel, { kind: 'labels' }>;
/** A label of several numbers. */
export type FittedNumbers = Extract<FittedLabel, { kind: 'numbers' }>;

/** Columns of the dataset that hold it. */
export function labelColumns(label: FittedLabel): readonly string[] {
  return 'columns' in label ? label.columns : [label.column];
}

/** Targets of a row; null: there is one, a number by itself. */
export function targetWidth(label: FittedLabel): number | null {
  return label.kind === 'labels' ? label.classes.length : label.kind === 'numbers' ? label.columns.length : null;
}

/** Names of what the network tells apart, in the order of its outputs; null: it answers numbers. */
export function classesOf(label: FittedLabel): readonly string[] | null {
  return 'classes' in label ? label.classes : null;
}

/** Names of the numbers that the network answers, in the order of its outputs; null: it tells classes apart, or answers a single number. */
export function numberNamesOf(label: FittedLabel): readonly string[] | null {
  return label.kind === 'numbers' ? label.columns : null;
}
