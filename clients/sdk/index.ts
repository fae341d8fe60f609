/** Millrace for TypeScript programs. */
export { RpcError } from '../../proto/index.js';
export { type AutoTuning, autoTuning, withAutoSplit } from './auto-tuning.js';
export type { PreviewedRow, PreviewOptions } from './dataset.js';
export type { ImportOptions, ImportProgress } from './dataset-import.js';
export type { DeploymentChange } from './deployment.js';
export type { ImportFormatName } from './import-formats.js';
export { Millrace, type MillraceOptions } from './millrace.js';
export { InvalidModelError } from './model-import.js';
export { pages } from './pages.js';
export type { RecordAnswer } from './record-stream.js';
export { NotServedError, type ServedOptions } from './served.js';
export { scalarOf } from './short-forms.js';
export { type SpecName, specMessages, specSchema } from './spec-schema.js';
export { InvalidSpecError, SpecText, type SpecViolation, trainingFields } from './spec-text.js';
export {
  pipelineFields,
  readPipelineFit,
  readTrainingSpec,
  readTuningSpec,
  writeTrainingSpec,
  writeTuningSpec,
} from './training-spec.js';
export type { FollowOptions } from './training-watch.js';
export { InvalidFileError } from './upload-files.js';
