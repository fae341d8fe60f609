import { RpcError, type StatusName } from '../../proto/index.js';
import { ServiceError } from '../platform/errors.js';

/** HTTP status of each gRPC status, as `google/rpc/code.proto` has them; where Triton's differ and are as clear, Triton's. */
const httpStatuses: Record<StatusName, number> = {
  OK: 200,
  CANCELLED: 499,
  UNKNOWN: 500,
  INVALID_ARGUMENT: 400,
  DEADLINE_EXCEEDED: 504,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 400,
  PERMISSION_DENIED: 403,
  RESOURCE_EXHAUSTED: 429,
  FAILED_PRECONDITION: 400,
  ABORTED: 409,
  OUT_OF_RANGE: 400,
  UNIMPLEMENTED: 501,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  DATA_LOSS: 500,
  UNAUTHENTICATED: 401,
};

/** A refusal that has an HTTP status but no gRPC status. */
export class HttpError extends Error {
  override readonly name = 'HttpError';

  constructor(
    readonly statusCode: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What a caller is told of an error; null: nothing but that there was one. */
export function explainError(error: unknown): { status: number; message: string } | null {
  if (error instanceof RpcError && error.code === 'UNAVAILABLE' && error.details.reason === '') {
    // Said by our own end of the connection, not by the service.
    return { status: 503, message: `The inference service cannot be reached. ${error.message}` };
  }
  if (error instanceof RpcError || error instanceof ServiceError) {
    return { status: httpStatuses[error.code], message: error.message };
  }
  // Refusals of ours and of fastify, for example of a body that is too large.
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  return status >= 400 && status < 500 ? { status, message: (error as Error).message } : null;
}
