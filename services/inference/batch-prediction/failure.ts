import { RpcError, type StatusName } from '../../../proto/index.js';
import { isDiskFull, ServiceError } from '../../platform/errors.js';
import { BrokenArtifact } from '../model-files.js';
import { RegistryUnavailable } from '../registry.js';

/** Statuses that say nothing about the job: the other side was away, or did not get round to it. */
const transient: readonly StatusName[] = ['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'ABORTED', 'CANCELLED'];

/** What went wrong, in the words that a caller gets; a bug stays what it is. */
export function explain(error: unknown): unknown {
  if (error instanceof RpcError) {
    const { fieldViolations, reason } = error.details;
    return new ServiceError(error.code, reason, error.message, { fieldViolations, cause: error });
  }
  if (error instanceof RegistryUnavailable) {
    return new ServiceError('UNAVAILABLE', 'REGISTRY_UNAVAILABLE', error.message, { cause: error });
  }
  if (error instanceof BrokenArtifact) {
    const message = `The model version cannot be used: ${error.message}.`;
    return new ServiceError('FAILED_PRECONDITION', 'MODEL_BROKEN', message, { cause: error });
  }
  if (isDiskFull(error)) {
    return new ServiceError('RESOURCE_EXHAUSTED', 'DISK_FULL', 'The disk of the server is full.', { cause: error });
  }
  return error;
}

/** Whether the same attempt may succeed later. */
export function isTransient(error: unknown): error is ServiceError {
  return error instanceof ServiceError && transient.includes(error.code);
}
