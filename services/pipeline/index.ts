/** The one implementation of the transform: preprocessing prepares tensors with it, inference raw records. */
export { canonicalJson } from './canonical-json.js';
export * from './column-chunk.js';
export { edgesReached } from './edges-reached.js';
export { acceptsRange } from './engine-features.js';
export {
  classesOf,
  type FittedLabel,
  type FittedLabels,
  type FittedNumbers,
  labelColumns,
  numberNamesOf,
  targetWidth,
} from './fitted-label.js';
export {
  type FittedColumn,
  type FittedPipeline,
  isByteMatrix,
  type PipelineDefinition,
  PipelineFormatError,
  parseFittedPipeline,
  pipelineFormat,
  preparePipeline,
  serialisePipeline,
  stepsOnValues,
} from './fitted-pipeline.js';
export { imagePixelsMax, isImage } from './image.js';
export { loadNative } from './native.js';
export {
  filesAtOnce,
  type PreparedColumn,
  prepareColumn,
  prepareSteps,
  UnusableValueError,
} from './prepared-column.js';
export { randomKey } from './random-key.js';
export { checkRecordCount, type RawRecord, type RawValue, transformRecords } from './records.js';
export { isSound } from './sound/sound.js';
export { countsOf, momentsOf, type NumberMoments, ValueCounts } from './statistics.js';
export {
  type DecodingStep,
  type MappingStep,
  type SettingReport,
  type TrainingColumn,
  UntransformableError,
} from './step.js';
export { definitionOf, type FittedStep, isCrossFitted, type StepSpec, stepDefinitions } from './steps/index.js';
export { countTexts } from './text-counts.js';
export { dayMs, readTime, readTimeText, toMilliseconds, type WrittenTime } from './time.js';
export { checkColumns, decodeChunk, toNetworkInput, toNumbers, transformColumns } from './transform.js';
export { ValueMap } from './value-map.js';
export {
  ascending,
  type ColumnValues,
  firstMissing,
  gatherValues,
  numberValues,
  presentValues,
  type ValueType,
} from './values.js';
