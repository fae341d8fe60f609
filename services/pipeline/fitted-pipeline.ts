import { z } from 'zod';
import { canonicalJson } from './canonical-json.js';
import { numberTypes } from './column-chunk.js';
import { type FittedLabel, fittedLabel } from './fitted-label.js';
import { type PreparedColumn, prepareColumn } from './prepared-column.js';
import { SingleRecord } from './single-record.js';
import { type FittedStep, fittedStep } from './steps/index.js';

export const pipelineFormat = 'millrace.pipeline/1';

const column = z.strictObject({
  column: z.string(),
  /**
   * Type of a value, or of an item of a list. `text`: any Arrow type that holds UTF-8; `time`: any of a point in time; `binary`: any
   * of bytes, which are a file.
   */
  type: z.enum([...numberTypes, 'boolean', 'time', 'text', 'binary']),
  /** Numbers in a list; null: the column holds single values. */
  width: z.int().positive().nullable(),
  /** Lengths of an array or image, outermost first; empty: just a list. */
  shape: z.array(z.int().positive()),
  steps: z.array(fittedStep),
});

const definition = z.strictObject({
  format: z.literal(pipelineFormat),
  columns: z.array(column).min(1),
  label: fittedLabel,
  features: z.strictObject({
    count: z.int().positive(),
    type: z.enum(['uint8', 'float32']),
    /** The network's input is value * scale + offset, in float32; both are float32 numbers themselves. */
    scale: z.number(),
    offset: z.number(),
  }),
});

export type FittedColumn = z.infer<typeof column>;
/** A fitted pipeline as it stands in `pipeline.json`: numbers and vocabularies, no code. */
export type PipelineDefinition = z.infer<typeof definition>;

export interface FittedPipeline {
  definition: PipelineDefinition;
  columns: PreparedColumn[];
  /** What a record brings: each column once. */
  inputs: PreparedColumn[];
  /** One a feature. */
  featureNames: string[];
  featureCount: number;
  featureType: 'uint8' | 'float32';
  featureScale: number;
  featureOffset: number;
  /** With features of bytes: the network's input for each of the 256. */
  byteInputs: Float32Array | null;
  label: FittedLabel;
  /** For records that come one by one; null: features of bytes. */
  single: SingleRecord | null;
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
    const column = prepare(fitted, offset);
    columns.push(column);
    offset += column.featureNames.length;
  }
  const { count, type, scale, offset: featureOffset } = definition.features;
  if (offset !== count) {
    throw new PipelineFormatError(`Expected ${count} features but the columns give ${offset}.`);
  }
  const inputs = inputsOf(columns);
  if (type === 'uint8' && !isByteMatrix(definition.columns)) {
    throw new PipelineFormatError(
      'Features of type uint8 need a single column of images or lists of uint8, with at most a scale.',
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
    inputs,
    featureNames: columns.flatMap(({ featureNames }) => featureNames),
    featureCount: count,
    featureType: type,
    featureScale: scale,
    featureOffset,
    byteInputs: type === 'uint8' ? byteInputs(scale, featureOffset) : null,
    label: definition.label,
    single: type === 'uint8' ? null : new SingleRecord(columns, inputs, count),
  };
}

/** Stored value * scale + offset, each operation in float32. */
function byteInputs(scale: number, offset: number): Float32Array {
  return Float32Array.from({ length: 256 }, (_, value) => Math.fround(value * scale) + offset);
}

/** Whether the features can stay the bytes they are: one column of byte lists, perhaps of images, with nothing but a scale. */
export function isByteMatrix(columns: FittedColumn[]): boolean {
  const [first] = columns;
  const { type, width } = first!;
  const steps = stepsOnValues(first!);
  const isBytes = first!.steps[0]?.kind === 'decodeImage' || (type === 'uint8' && width !== null);
  return columns.length === 1 && isBytes && steps.length <= 1 && steps.every(({ kind }) => kind === 'scale');
}

/** The steps but the one that decodes files. */
export function stepsOnValues({ type, steps }: FittedColumn): FittedStep[] {
  return type === 'binary' ? steps.slice(1) : steps;
}

function prepare(fitted: FittedColumn, offset: number): PreparedColumn {
  try {
    return prepareColumn(fitted, offset);
  } catch (error) {
    const message = `Column ${JSON.stringify(fitted.column)}: ${(error as Error).message}.`;
    throw new PipelineFormatError(message, { cause: error });
  }
}

/** Each column once, though it may be named several times, with other steps. */
function inputsOf(columns: PreparedColumn[]): PreparedColumn[] {
  const inputs = new Map<string, PreparedColumn>();
  for (const column of columns) {
    const first = inputs.get(column.column);
    const form = ({ type, width, shape }: PreparedColumn) => canonicalJson([type, width, shape]);
    if (first && form(first) !== form(column)) {
      throw new PipelineFormatError(`The column ${JSON.stringify(column.column)} has two types.`);
    }
    inputs.set(column.column, first ?? column);
  }
  return [...inputs.values()];
}
