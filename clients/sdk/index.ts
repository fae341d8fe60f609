/** Millrace for TypeScript programs. */
export { RpcError } from '../../proto/index.js';
export type { DeploymentChange } from './deployment.js';
export { Millrace, type MillraceOptions } from './millrace.js';
export { InvalidModelError } from './model-import.js';
export { pages } from './pages.js';
export type { RecordAnswer } from './record-stream.js';
export { InvalidSpecError, readTrainingSpec } from './training-spec.js';
