import * as grpc from '@grpc/grpc-js';
import { messageType } from './contracts.js';

/** Names of the gRPC status codes, for example `INVALID_ARGUMENT`. */
export type StatusName = keyof typeof grpc.status;

/** One field of a request that was refused. */
export interface FieldViolation {
  field: string;
  description: string;
}

/** What a status carries beside code and message (`google.rpc.ErrorInfo` and `google.rpc.BadRequest`). */
export interface StatusDetails {
  /** A stable word for programs, for example `MODEL_NOT_FOUND`; empty when the server sent none. */
  reason: string;
  fieldViolations: FieldViolation[];
}

/** A call that ended in a status other than OK. */
export class RpcError extends Error {
  override readonly name = 'RpcError';

  constructor(
    readonly code: StatusName,
    message: string,
    readonly details: StatusDetails,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  static from(error: unknown): Error {
    if (!isStatus(error)) {
      return error instanceof Error ? error : new Error(String(error));
    }
    const code = (grpc.status[error.code] ?? 'UNKNOWN') as StatusName;
    return new RpcError(code, error.details, decodeDetails(error.metadata), { cause: error });
  }

  /** A status that came within a message, of a part of a call. */
  static fromStatus({ code, message, details: packed }: StatusMessage): RpcError {
    const details: StatusDetails = { reason: '', fieldViolations: [] };
    try {
      unpackDetails(packed, details);
    } catch {
      // Not ours: the code and the message say what there is to say.
    }
    return new RpcError((grpc.status[code] ?? 'UNKNOWN') as StatusName, message, details);
  }
}

function isStatus(error: unknown): error is grpc.ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
}

const typePrefix = 'type.googleapis.com/';
const detailsKey = 'grpc-status-details-bin';
const domain = 'millrace';

interface AnyMessage {
  type_url: string;
  value: Buffer;
}

/** `google.rpc.Status`. */
export interface StatusMessage {
  code: number;
  message: string;
  details: AnyMessage[];
}

/** A status that goes within a message. */
export function toStatusMessage(code: StatusName, message: string, details: StatusDetails): StatusMessage {
  return { code: grpc.status[code], message, details: packDetails(details) };
}

/** Puts `google.rpc.Status` with its details into trailing metadata. */
export function encodeDetails(code: StatusName, message: string, details: StatusDetails): grpc.Metadata {
  const metadata = new grpc.Metadata();
  const status = toStatusMessage(code, message, details);
  if (status.details.length > 0) {
    metadata.set(detailsKey, messageType('google.rpc.Status').serialize(status));
  }
  return metadata;
}

function packDetails(details: StatusDetails): AnyMessage[] {
  const packed: AnyMessage[] = [];
  if (details.reason) {
    packed.push(pack('google.rpc.ErrorInfo', { reason: details.reason, domain }));
  }
  if (details.fieldViolations.length > 0) {
    packed.push(pack('google.rpc.BadRequest', { fieldViolations: details.fieldViolations }));
  }
  return packed;
}

function pack(name: 'google.rpc.ErrorInfo' | 'google.rpc.BadRequest', value: object): AnyMessage {
  return { type_url: typePrefix + name, value: messageType(name).serialize(value) };
}

function decodeDetails(metadata: grpc.Metadata | undefined): StatusDetails {
  const details: StatusDetails = { reason: '', fieldViolations: [] };
  const bytes = metadata?.get(detailsKey)[0];
  if (Buffer.isBuffer(bytes)) {
    try {
      const status = messageType('google.rpc.Status').deserialize(bytes) as StatusMessage;
      unpackDetails(status.details, details);
    } catch {
      // Not ours: the code and the message say what there is to say.
    }
  }
  return details;
}

function unpackDetails(packed: readonly AnyMessage[], details: StatusDetails): void {
  for (const { type_url, value } of packed) {
    if (type_url === `${typePrefix}google.rpc.ErrorInfo`) {
      details.reason = (messageType('google.rpc.ErrorInfo').deserialize(value) as { reason: string }).reason;
    } else if (type_url === `${typePrefix}google.rpc.BadRequest`) {
      const badRequest = messageType('google.rpc.BadRequest').deserialize(value) as StatusDetails;
      details.fieldViolations = badRequest.fieldViolations.map(({ field, description }) => ({ field, description }));
    }
  }
}
