import { isDeepStrictEqual } from 'node:util';
import {
  classesOf,
  type FittedPipeline,
  numberNamesOf,
  PipelineFormatError,
  parseFittedPipeline,
  type RawRecord,
  transformRecords,
} from '../pipeline/index.js';
import { BrokenArtifact, type Signature } from './model-files.js';

export type { RawRecord, RawValue } from '../pipeline/index.js';

/**
 * Turns raw records into the network's input, row by row; refuses those that do not fit.
 * @param field name of the list that the records are of, for messages; default: `records`
 * @param firstIndex place of the first record in that list; default: 0
 */
export type RecordTransform = (
  records: readonly RawRecord[],
  field?: string,
  firstIndex?: number,
) => Promise<Float32Array>;

/** Reads `pipeline.json`, which must fit the signature. */
export function parsePipeline(bytes: Uint8Array, signature: Signature): RecordTransform {
  const pipeline = parsePipelineFile(bytes);
  const { featureCount, label } = pipeline;
  if (featureCount !== signature.input.width) {
    throw new BrokenArtifact(
      `pipeline.json makes ${featureCount} features, but the network takes ${signature.input.width}`,
    );
  }
  if (!isDeepStrictEqual(classesOf(label), signature.classes)) {
    throw new BrokenArtifact('pipeline.json and signature.json name different classes');
  }
  if (!isDeepStrictEqual(numberNamesOf(label), signature.numbers)) {
    throw new BrokenArtifact('pipeline.json and signature.json name different numbers');
  }
  if ((label.kind === 'labels') !== signature.multiLabel) {
    throw new BrokenArtifact('pipeline.json and signature.json differ in whether a row may be of several classes');
  }
  return (records, field, firstIndex) => transformRecords(pipeline, records, field, firstIndex);
}

/** As `parsePipeline`, but for whoever asks what it reads and answers. */
export function parsePipelineFile(bytes: Uint8Array): FittedPipeline {
  try {
    return parseFittedPipeline(bytes);
  } catch (error) {
    if (error instanceof PipelineFormatError) {
      throw new BrokenArtifact(`pipeline.json is not what it should be: ${error.message}`, { cause: error });
    }
    throw error;
  }
}
