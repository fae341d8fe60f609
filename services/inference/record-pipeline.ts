import { isDeepStrictEqual } from 'node:util';
import { PipelineFormatError, parseFittedPipeline, type RawRecord, transformRecords } from '../pipeline/index.js';
import { BrokenArtifact, type Signature } from './model-files.js';

export type { RawRecord, RawValue } from '../pipeline/index.js';

/** Turns raw records into the network's input, row by row; refuses those that do not fit. */
export type RecordTransform = (records: readonly RawRecord[]) => Promise<Float32Array>;

/** Reads `pipeline.json`, which must fit the signature. */
export function parsePipeline(bytes: Uint8Array, signature: Signature): RecordTransform {
  const pipeline = parse(bytes);
  const { featureCount, label } = pipeline;
  if (featureCount !== signature.input.width) {
    throw new BrokenArtifact(
      `pipeline.json makes ${featureCount} features, but the network takes ${signature.input.width}`,
    );
  }
  const classes = label.kind === 'number' ? null : label.classes;
  if (!isDeepStrictEqual(classes, signature.classes)) {
    throw new BrokenArtifact('pipeline.json and signature.json name different classes');
  }
  return (records) => transformRecords(pipeline, records);
}

function parse(bytes: Uint8Array) {
  try {
    return parseFittedPipeline(bytes);
  } catch (error) {
    if (error instanceof PipelineFormatError) {
      throw new BrokenArtifact(`pipeline.json is not what it should be: ${error.message}`, { cause: error });
    }
    throw error;
  }
}
