import { randomUUID } from 'node:crypto';
import * as grpc from '@grpc/grpc-js';
import {
  type Contract,
  encodeDetails,
  type FieldViolation,
  RpcError,
  type StatusDetails,
  type StatusName,
} from '../../proto/index.js';
import { clip, isDiskFull, ServiceError } from './errors.js';
import type { Logger } from './log.js';
import type { Metrics } from './metrics.js';
import type { CallStatus, Route, ServerCall } from './server-call.js';
import { CallSpan, isTracing } from './tracing.js';

/** What a method knows of its call beside the request. */
export interface CallContext {
  /** From the caller's `x-request-id`, or made here when it is asked for; sent back under the same name. */
  requestId: string;
  /**
   * Aborted when the caller has gone, or its deadline has passed. Whatever waits must wait for this too: a generator that
   * is waiting cannot be ended from outside.
   */
  readonly signal: AbortSignal;
  /** As `signal.throwIfAborted`, but cheaper, and exact about the deadline: its timer may be late. For work that never waits. */
  throwIfGone(): void;
  /** Aborted when the service wants to stop: a stream without an end of its own should end. */
  stopping: AbortSignal;
  metadata: grpc.Metadata;
  /** Sends a header with the answer, before its first message. */
  addHeader(name: string, value: string): void;
  readonly log: Logger;
  /** Null: nobody records what becomes of this call. */
  readonly span: CallSpan | null;
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

export interface HandlerHost {
  log: Logger;
  metrics: Metrics;
  stopping: AbortSignal;
  /** Calls whose method still runs, also when their caller has gone. */
  active: ActiveCalls;
}

/** What answers the calls of a service, by path. */
export function routesOf(
  { contract, methods }: ImplementedContract,
  host: HandlerHost,
): [path: string, route: Route][] {
  return Object.entries(contract.serverDefinition).flatMap(([name, definition]) => {
    const method = methods[name];
    return method ? [[definition.path, toRoute(method, definition, host)] as [string, Route]] : [];
  });
}

/** A request that is not protobuf, or not of its message. */
class MalformedMessage {
  constructor(readonly cause: unknown) {}
}

function wellFormed(message: unknown): unknown {
  if (message instanceof MalformedMessage) {
    const text = `Expected the request to be a protobuf message of this method but it cannot be read: ${(message.cause as Error).message}.`;
    throw new ServiceError('INVALID_ARGUMENT', 'MALFORMED_MESSAGE', text, { cause: message.cause });
  }
  return message;
}

/** Messages in order. A caller who goes halfway ends the loop with an error. */
async function* incoming(call: ServerCall, signal: AbortSignal): AsyncGenerator<unknown, void> {
  for await (const message of call.messages()) {
    yield wellFormed(message);
  }
  signal.throwIfAborted();
}

function toRoute(
  method: AnyMethod,
  {
    path,
    requestStream,
    responseStream,
    requestDeserialize,
    responseSerialize,
  }: grpc.MethodDefinition<unknown, unknown>,
  host: HandlerHost,
): Route {
  const counted = host.metrics.method(path);
  const traces = isTracing();
  const start = async (call: ServerCall) => {
    const begin = performance.now();
    const span = traces ? CallSpan.start(path, call.metadata) : null;
    const context = new Context(call, host, span);
    let code: StatusName = 'OK';
    host.active.begin();
    call.enter();
    try {
      const argument = requestStream ? incoming(call, context.signal) : wellFormed(call.request);
      if (responseStream) {
        await writeAll(call, method(argument, context) as AsyncIterable<unknown>, context.signal);
      } else {
        call.write(await (span ? span.around(() => method(argument, context)) : method(argument, context)));
      }
      call.end();
    } catch (error) {
      code = refuse(error, call, context);
    }
    call.leave();
    host.active.end();
    counted.ended(code, performance.now() - begin);
    span?.end(code);
    if (host.log.isLevelEnabled('debug')) {
      context.log.debug({ method: path, code }, 'call ended');
    }
  };
  return {
    requestStream,
    deserialize(bytes) {
      try {
        return requestDeserialize(bytes);
      } catch (error) {
        return new MalformedMessage(error);
      }
    },
    serialize: responseSerialize,
    start,
    refuse(call, error) {
      call.fail(toStatus(error, new Context(call, host, null)));
    },
  };
}

function refuse(error: unknown, call: ServerCall, context: Context): StatusName {
  const status = toStatus(error, context);
  call.fail(status);
  return grpc.status[status.code] as StatusName;
}

/** Counts calls whose method runs. */
export class ActiveCalls {
  #count = 0;
  #waiting: (() => void)[] = [];

  begin(): void {
    this.#count++;
  }

  end(): void {
    this.#count--;
    if (this.#count === 0) {
      for (const resolve of this.#waiting.splice(0)) {
        resolve();
      }
    }
  }

  /** Resolves once no call is left. */
  async ended(): Promise<void> {
    if (this.#count > 0) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

const requestIdKey = 'x-request-id';
/** What can be sent back. */
const legalRequestId = /^[ -~]{1,100}$/;

/** What a small call never asks for is made when it is asked for: it would cost more than the answer. */
class Context implements CallContext {
  readonly stopping: AbortSignal;
  #gone: ServiceError | null = null;
  #requestId: string | null = null;
  #headers: grpc.Metadata | null = null;
  #controller: AbortController | null = null;
  #log: Logger | null = null;

  constructor(
    private readonly call: ServerCall,
    private readonly host: HandlerHost,
    readonly span: CallSpan | null,
  ) {
    this.stopping = host.stopping;
    const given = call.header(requestIdKey);
    if (given !== null && legalRequestId.test(given)) {
      this.#tell(given);
    }
  }

  get metadata(): grpc.Metadata {
    return this.call.metadata;
  }

  get requestId(): string {
    return this.#requestId ?? this.#tell(randomUUID());
  }

  /** The caller is told the id of its request where it gave one, or where something is said of the request. */
  #tell(id: string): string {
    this.#requestId = id;
    this.addHeader(requestIdKey, id);
    return id;
  }

  addHeader(name: string, value: string): void {
    this.#headers ??= new grpc.Metadata();
    this.#headers.set(name, value);
    this.call.sendMetadata(this.#headers);
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.gone) {
        this.#controller.abort(this.gone);
      }
      this.call.onCancelled(() => this.#leave());
    }
    return this.#controller.signal;
  }

  get log(): Logger {
    this.#log ??= this.host.log.child({ requestId: this.requestId });
    return this.#log;
  }

  /** Why nobody waits for the answer any more; null while somebody does. */
  get gone(): ServiceError | null {
    if (!this.#gone && (this.call.isCancelled || Date.now() >= this.call.deadline)) {
      this.#leave();
    }
    return this.#gone;
  }

  throwIfGone(): void {
    if (this.gone) {
      throw this.gone;
    }
  }

  #leave(): void {
    if (!this.#gone) {
      this.#gone = goneError(this.call);
      this.#controller?.abort(this.#gone);
    }
  }
}

function goneError(call: ServerCall): ServiceError {
  // The timer's clock may be ahead of the other.
  return call.hasExpired || Date.now() >= call.deadline
    ? new ServiceError('DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED', 'The deadline of the call has passed.')
    : new ServiceError('CANCELLED', 'CALL_CANCELLED', 'The call was cancelled.');
}

/** Writes at the pace of the receiver. When the caller has gone, the generator is ended, and so does its cleaning up. */
async function writeAll(call: ServerCall, responses: AsyncIterable<unknown>, signal: AbortSignal): Promise<void> {
  for await (const response of responses) {
    // To ask the signal for each message takes a noticeable part of the time that a small one takes.
    if (call.isCancelled) {
      signal.throwIfAborted();
    }
    call.write(response);
    if (!call.isDrained) {
      await call.whenDrained();
    }
  }
  signal.throwIfAborted();
}

// Clients take 8 KiB of trailers at least; the message is in them percent-encoded, and with the details in base64.
const messageCharsMax = 1_500;
const encodedMessageBytesMax = 2_500;
const violationsBytesMax = 2_000;
/** What protobuf adds to a violation, at most. */
const violationFrameBytes = 12;

function toStatus(error: unknown, context: Context): CallStatus {
  const [code, text, { reason, fieldViolations }] = explain(error, context);
  const message = clipEncoded(text);
  const details = { reason, fieldViolations: firstOf(fieldViolations) };
  return { code: grpc.status[code], details: message, metadata: encodeDetails(code, message, details) };
}

function clipEncoded(text: string): string {
  let message = clip(text, messageCharsMax);
  for (let bytes = encodeURI(message).length; bytes > encodedMessageBytesMax; bytes = encodeURI(message).length) {
    message = clip(message, Math.floor((message.length * encodedMessageBytesMax) / bytes));
  }
  return message;
}

function firstOf(violations: FieldViolation[]): FieldViolation[] {
  let bytes = 0;
  return violations.filter(({ field, description }) => {
    bytes += Buffer.byteLength(field) + Buffer.byteLength(description) + violationFrameBytes;
    return bytes <= violationsBytesMax;
  });
}

function explain(error: unknown, context: Context): [StatusName, string, StatusDetails] {
  const { gone, requestId } = context;
  if (gone) {
    // Streams fail and waits are left when the caller has gone; only a bug would look the same.
    context.log.debug({ err: error }, 'call abandoned');
    return [gone.code, gone.message, { reason: gone.reason, fieldViolations: [] }];
  }
  if (error instanceof ServiceError) {
    return [error.code, error.message, { reason: error.reason, fieldViolations: error.fieldViolations }];
  }
  if (error instanceof RpcError) {
    return [error.code, error.message, error.details];
  }
  if (isDiskFull(error)) {
    context.log.error({ err: error }, 'disk full');
    const message = 'The disk is full. Free space in the data folder and try again.';
    return ['RESOURCE_EXHAUSTED', message, { reason: 'DISK_FULL', fieldViolations: [] }];
  }
  context.log.error({ err: error }, 'internal error');
  return ['INTERNAL', `Internal error (request ${requestId}).`, { reason: '', fieldViolations: [] }];
}
