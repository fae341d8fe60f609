import { ServiceError } from '../platform/errors.js';

/** @param what completes `Expected an Arrow stream but ...` */
export function malformedArrow(what: string, cause?: unknown): ServiceError {
  const message = `Expected an Arrow stream but ${what}.`;
  return new ServiceError('INVALID_ARGUMENT', 'MALFORMED_ARROW', message, { cause });
}
