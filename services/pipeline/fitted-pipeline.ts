import { z } from 'zod';
import { canonicalJson } from './canonical-json.js';
import { numberTypes } from './column-chunk.js';

export const pipelineFormat = 'millrace.pipeline/1';

const number = z.number();
const impute = z.strictObject({ kind: z.literal('impute'), value: z.union([number, z.string()]) });
/** y = (x - subtract) / divide, in float64. Both scaling and standardising come to this. */
const affine = z.strictObject({
  kind: z.enum(['scale', 'standardise']),
  subtract: number,
  divide: number.refine((value) => value !== 0, 'must not be 0'),
});
/** One output a category, in this order: sorted, all of one type, none twice. */
const oneHot = z.strictObject({
  kind: z.literal('oneHot'),
  categories: z.union([z.array(number).min(1), z.array(z.string()).min(1)]),
});
const step = z.discriminatedUnion('kind', [impute, affine, oneHot]);

const column = z.strictObject({
  column: z.string(),
  /** Type of a value, or of an item of a list. `text`: any Arrow type that holds UTF-8. */
  type: z.enum([...numberTypes, 'boolean', 'text']),
  /** Numbers in a list; null: the column holds single values. */
  width: z.int().positive().nullable(),
  /** Lengths of an array or image, outermost first; empty: just a list. */
  shape: z.array(z.int().positive()),
  steps: z.array(step),
});

const label = z.discriminatedUnion('kind', [
  z.strictObject({ column: z.string(), kind: z.literal('classes'), classes: z.array(z.string()).min(2) }),
  z.strictObject({ column: z.string(), kind: z.literal('binary'), classes: z.array(z.string()).length(2) }),
  z.strictObject({ column: z.string(), kind: z.literal('number') }),
]);

const definition = z.strictObject({
  format: z.literal(pipelineFormat),
  columns: z.array(column).min(1),
  label,
  features: z.strictObject({
    count: z.int().positive(),
    type: z.enum(['uint8', 'float32']),
    /** The network's input is value * scale + offset, in float32; both are float32 numbers themselves. */
    scale: number,
    offset: number,
  }),
});

export type FittedStep = z.infer<typeof step>;
export type FittedColumn = z.infer<typeof column>;
export type FittedLabel = z.infer<typeof label>;
/** A fitted pipeline as it stands in `pipeline.json`: numbers and vocabularies, no code. */
export type PipelineDefinition = z.infer<typeof definition>;

/** A column with what its transform needs at hand. */
export interface PreparedColumn extends FittedColumn {
  /** Place of the column's first output in a row of features. */
  offset: number;
  /** Outputs. */
  outputWidth: number;
  /** With a one-hot step: place of each category. */
  categoryPlaces: ReadonlyMap<number | string, number> | null;
}

export interface FittedPipeline {
  definition: PipelineDefinition;
  columns: PreparedColumn[];
  featureCount: number;
  featureType: 'uint8' | 'float32';
  featureScale: number;
  featureOffset: number;
  /** With features of bytes: the network's input for each of the 256. */
  byteInputs: Float32Array | null;
  label: FittedLabel;
}

/** A definition that cannot be used. */
export class PipelineFormatError extends Error {
  override readonly name = 'PipelineFormatError';
}

/** The bytes of `pipeline.json`; the same pipeline gives the same bytes. */
export function serialisePipeline(definition: PipelineDefinition): Buffer {
  return Buffer.from(canonicalJson(definition));
}

/** Reads `pipeline.json`, checking all of it. @throws PipelineFormatError */
export function parseFittedPipeline(bytes: Uint8Array): FittedPipeline {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new PipelineFormatError(`The pipeline is not JSON: ${(error as Error).message}`, { cause: error });
  }
  const format = z.looseObject({ format: z.unknown() }).safeParse(json).data?.format;
  if (format !== pipelineFormat) {
    const message = `Expected a pipeline of format ${pipelineFormat} but received ${JSON.stringify(format)}.`;
    throw new PipelineFormatError(message);
  }
  const result = definition.safeParse(json);
  if (!result.success) {
    const lines = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new PipelineFormatError(`The pipeline is malformed. ${lines.join('; ')}.`);
  }
  return preparePipeline(result.data);
}

/** Checks that the parts fit together, and lays out the feature matrix. @throws PipelineFormatError */
export function preparePipeline(definition: PipelineDefinition): FittedPipeline {
  const columns: PreparedColumn[] = [];
  let offset = 0;
  for (const fitted of definition.columns) {
    const column = prepareColumn(fitted, offset);
    columns.push(column);
    offset += column.outputWidth;
  }
  const { count, type, scale, offset: featureOffset } = definition.features;
  if (offset !== count) {
    throw new PipelineFormatError(`Expected ${count} features but the columns give ${offset}.`);
  }
  if (new Set(columns.map(({ column }) => column)).size !== columns.length) {
    throw new PipelineFormatError('A column is named twice.');
  }
  if (type === 'uint8' && !isByteMatrix(definition.columns)) {
    throw new PipelineFormatError(
      'Features of type uint8 need a single column of lists of uint8 with at most a scale.',
    );
  }
  if (type === 'float32' && (scale !== 1 || featureOffset !== 0)) {
    throw new PipelineFormatError('Features of type float32 need scale 1 and offset 0.');
  }
  if (Math.fround(scale) !== scale || Math.fround(featureOffset) !== featureOffset) {
    throw new PipelineFormatError('The scale and offset of the features must be float32 numbers.');
  }
  return {
    definition,
    columns,
    featureCount: count,
    featureType: type,
    featureScale: scale,
    featureOffset,
    byteInputs: type === 'uint8' ? byteInputs(scale, featureOffset) : null,
    label: definition.label,
  };
}

/** Stored value * scale + offset, each operation in float32. */
function byteInputs(scale: number, offset: number): Float32Array {
  return Float32Array.from({ length: 256 }, (_, value) => Math.fround(value * scale) + offset);
}

/** Whether the features can stay the bytes they are: one column of byte lists, with nothing but a scale. */
export function isByteMatrix(columns: FittedColumn[]): boolean {
  const [first] = columns;
  return (
    columns.length === 1 &&
    first!.type === 'uint8' &&
    first!.width !== null &&
    first!.steps.length <= 1 &&
    first!.steps.every(({ kind }) => kind === 'scale')
  );
}

function prepareColumn(fitted: FittedColumn, offset: number): PreparedColumn {
  const { column, type, width, shape, steps } = fitted;
  const isText = type === 'text';
  const oneHot = steps.find((step) => step.kind === 'oneHot');
  const wrong = (what: string) => new PipelineFormatError(`Column ${JSON.stringify(column)}: ${what}.`);
  if (oneHot ? steps.at(-1) !== oneHot || width !== null : isText) {
    throw wrong('text needs a last step oneHot, and lists can have none');
  }
  if (width === null ? shape.length > 0 : shape.length > 0 && shape.reduce((a, b) => a * b) !== width) {
    throw wrong(`the shape ${shape.join(', ')} does not make ${width ?? 'a single value'}`);
  }
  if (isText && (steps.some(({ kind }) => kind === 'scale' || kind === 'standardise') || width !== null)) {
    throw wrong('text can be neither scaled nor listed');
  }
  const filled = steps.flatMap((step) => (step.kind === 'impute' ? [step.value] : []));
  const used = [...filled, ...(oneHot?.categories ?? [])];
  if (filled.length > 1 || used.some((value) => (typeof value === 'string') !== isText)) {
    throw wrong('it needs at most one impute step, with values of its own type');
  }
  const categoryPlaces = oneHot ? new Map([...oneHot.categories].map((category, place) => [category, place])) : null;
  if (oneHot && categoryPlaces!.size !== oneHot.categories.length) {
    throw wrong('a category stands twice');
  }
  return { ...fitted, offset, outputWidth: oneHot?.categories.length ?? width ?? 1, categoryPlaces };
}
