import { randomUUID } from 'node:crypto';
import * as grpc from '@grpc/grpc-js';
import { type Contract, encodeDetails, RpcError, type StatusDetails, type StatusName } from '../../proto/index.js';
import { isDiskFull, ServiceError } from './errors.js';
import type { Logger } from './log.js';
import type { Metrics } from './metrics.js';

/** What a method knows of its call beside the request. */
export interface CallContext {
  /** From the caller's `x-request-id`, or made here; sent back under the same name. */
  requestId: string;
  /** Aborted when the caller has gone, or its deadline has passed. */
  signal: AbortSignal;
  /** Aborted when the service wants to stop: a stream without an end of its own should end. */
  stopping: AbortSignal;
  metadata: grpc.Metadata;
  log: Logger;
}

type Named<Handlers> = { [K in keyof Handlers as string extends K ? never : K]: Handlers[K] };

type Method<H> = H extends (call: grpc.ServerUnaryCall<infer I, infer O>, callback: infer _) => void
  ? (request: I, context: CallContext) => Promise<O> | O
  : H extends (call: grpc.ServerReadableStream<infer I, infer O>, callback: infer _) => void
    ? (requests: AsyncIterable<I>, context: CallContext) => Promise<O>
    : H extends (call: grpc.ServerWritableStream<infer I, infer O>) => void
      ? (request: I, context: CallContext) => AsyncIterable<O>
      : H extends (call: grpc.ServerDuplexStream<infer I, infer O>) => void
        ? (requests: AsyncIterable<I>, context: CallContext) => AsyncIterable<O>
        : never;

/** A contract's methods as async functions and async generators. */
export type Implementation<Handlers> = { [K in keyof Named<Handlers>]: Method<Named<Handlers>[K]> };

/** A contract with what stands behind it, its types forgotten. */
export interface ImplementedContract {
  contract: Contract<unknown, unknown>;
  methods: Record<string, AnyMethod | undefined>;
}

/** Binds an implementation to its contract. Methods left out answer UNIMPLEMENTED. */
export function implement<Client, Handlers>(
  contract: Contract<Client, Handlers>,
  methods: Partial<Implementation<Handlers>>,
): ImplementedContract {
  return { contract, methods: methods as Record<string, AnyMethod | undefined> };
}

type AnyMethod = (request: unknown, context: CallContext) => unknown;
type AnyCall = grpc.ServerUnaryCall<unknown, unknown> &
  grpc.ServerReadableStream<unknown, unknown> &
  grpc.ServerWritableStream<unknown, unknown>;
type Callback = grpc.sendUnaryData<unknown>;

export interface HandlerHost {
  log: Logger;
  metrics: Metrics;
  stopping: AbortSignal;
}

/** Handlers for grpc-js. The one place where a method's error becomes a status: in grpc-js a rejected handler never answers. */
export function toHandlers(implemented: ImplementedContract, host: HandlerHost): grpc.UntypedServiceImplementation {
  const handlers: grpc.UntypedServiceImplementation = {};
  for (const [name, definition] of Object.entries(implemented.contract.definition)) {
    const method = implemented.methods[name];
    if (method) {
      handlers[name] = toHandler(method, definition, host);
    }
  }
  return handlers;
}

function toHandler(
  method: AnyMethod,
  definition: grpc.MethodDefinition<unknown, unknown>,
  host: HandlerHost,
): grpc.UntypedHandleCall {
  const handle = async (call: AnyCall, callback: Callback | null) => {
    const begin = process.hrtime.bigint();
    const context = createContext(call, host);
    const argument = definition.requestStream ? call : call.request;
    let code: StatusName = 'OK';
    try {
      if (callback) {
        callback(null, await method(argument, context));
      } else {
        await writeAll(call, method(argument, context) as AsyncIterable<unknown>, context.signal);
        call.end();
      }
    } catch (error) {
      const status = toStatus(error, context);
      code = grpc.status[status.code] as StatusName;
      callback ? callback(status) : call.emit('error', status);
    }
    host.metrics.handled.inc({ method: definition.path, code });
    host.metrics.handlingSeconds.observe({ method: definition.path }, Number(process.hrtime.bigint() - begin) / 1e9);
    context.log.debug({ method: definition.path, code }, 'call ended');
  };
  const handler = definition.responseStream
    ? (call: AnyCall) => void handle(call, null)
    : (call: AnyCall, callback: Callback) => void handle(call, callback);
  return handler as grpc.UntypedHandleCall;
}

const requestIdKey = 'x-request-id';

function createContext(call: AnyCall, host: HandlerHost): CallContext {
  const given = call.metadata.get(requestIdKey)[0];
  const requestId = typeof given === 'string' && given.length <= 100 ? given : randomUUID();
  const metadata = new grpc.Metadata();
  metadata.set(requestIdKey, requestId);
  call.sendMetadata(metadata);
  const controller = new AbortController();
  call.on('cancelled', () =>
    controller.abort(new ServiceError('CANCELLED', 'CALL_CANCELLED', 'The call was cancelled.')),
  );
  return {
    requestId,
    signal: controller.signal,
    stopping: host.stopping,
    metadata: call.metadata,
    log: host.log.child({ requestId }),
  };
}

/** Writes at the pace of the receiver. */
async function writeAll(call: AnyCall, responses: AsyncIterable<unknown>, signal: AbortSignal): Promise<void> {
  for await (const response of responses) {
    if (signal.aborted) {
      return;
    }
    if (!call.write(response)) {
      await new Promise<void>((resolve) => {
        call.once('drain', resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }
}

interface Status extends grpc.ServiceError {}

function toStatus(error: unknown, context: CallContext): Status {
  const [code, message, details] = explain(error, context);
  return Object.assign(new Error(message), {
    code: grpc.status[code],
    details: message,
    metadata: encodeDetails(code, message, details),
  });
}

function explain(error: unknown, context: CallContext): [StatusName, string, StatusDetails] {
  if (error instanceof ServiceError) {
    return [error.code, error.message, { reason: error.reason, fieldViolations: error.fieldViolations }];
  }
  if (error instanceof RpcError) {
    return [error.code, error.message, error.details];
  }
  const noDetails = { reason: '', fieldViolations: [] };
  if (isDiskFull(error)) {
    context.log.error({ error }, 'disk full');
    return ['RESOURCE_EXHAUSTED', 'The disk is full. Free space in the data folder and try again.', noDetails];
  }
  if (context.signal.aborted) {
    return ['CANCELLED', 'The call was cancelled.', noDetails];
  }
  context.log.error({ err: error }, 'internal error');
  return ['INTERNAL', `Internal error (request ${context.requestId}).`, noDetails];
}
