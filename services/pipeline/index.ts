/** The one implementation of the transform: preprocessing prepares tensors with it, inference raw records. */
export { canonicalJson } from './canonical-json.js';
export * from './column-chunk.js';
export {
  type FittedColumn,
  type FittedLabel,
  type FittedPipeline,
  type FittedStep,
  isByteMatrix,
  type PipelineDefinition,
  PipelineFormatError,
  type PreparedColumn,
  parseFittedPipeline,
  pipelineFormat,
  preparePipeline,
  serialisePipeline,
} from './fitted-pipeline.js';
export { checkRecordCount, type RawRecord, type RawValue, transformRecords } from './records.js';
export {
  applySteps,
  type ColumnValues,
  firstMissing,
  gatherValues,
  toNetworkInput,
  transformColumns,
  UnusableValueError,
} from './transform.js';
