import * as grpc from '@grpc/grpc-js';
import type { Contract } from './contracts.js';
import { RpcError } from './rpc-error.js';

/** Options of one call. */
export interface CallOptions {
  /** Ends the call with CANCELLED. */
  signal?: AbortSignal;
  /** Ends the call with DEADLINE_EXCEEDED. Default 60,000 for calls with one request and one answer, none for streams. */
  timeoutMs?: number;
  metadata?: grpc.Metadata;
  /** Waits for a server that is not there yet (until the deadline) where the call would fail with UNAVAILABLE. */
  waitForReady?: boolean;
}

type Unary<I, O> = (request: I, options?: CallOptions) => Promise<O>;
type ServerStream<I, O> = (request: I, options?: CallOptions) => AsyncGenerator<O, void>;
type ClientStream<I, O> = (requests: AsyncIterable<I> | Iterable<I>, options?: CallOptions) => Promise<O>;
type BidiStream<I, O> = (requests: AsyncIterable<I> | Iterable<I>, options?: CallOptions) => AsyncGenerator<O, void>;

// proto-loader-gen-types writes overloads; inference sees the last one, which differs in shape by the kind of streaming.
// Streams first: structurally a stream is a unary call too.
type Method<M> = M extends (options?: grpc.CallOptions) => grpc.ClientDuplexStream<infer I, infer O>
  ? BidiStream<I, O>
  : M extends (callback: grpc.requestCallback<infer O>) => grpc.ClientWritableStream<infer I>
    ? ClientStream<I, O>
    : M extends (argument: infer I, options?: grpc.CallOptions) => grpc.ClientReadableStream<infer O>
      ? ServerStream<I, O>
      : M extends (argument: infer I, callback: grpc.requestCallback<infer O>) => grpc.ClientUnaryCall
        ? Unary<I, O>
        : never;

/**
 * A contract's methods as promises and async generators; a generator's call starts when it is first read. Every failure is an
 * `RpcError`.
 */
export type RpcClient<Client> = {
  [K in Exclude<keyof Client, keyof grpc.Client> as K extends `${Uncapitalize<string & K>}` ? K : never]: Method<
    Client[K]
  >;
} & { close(): void };

const unaryTimeoutMs = 60_000;
/** As servers have it where nothing else is said; gRPC's own default is 4 MiB. */
const messageBytesDefault = 64 * 1024 * 1024;

type Call = grpc.ClientReadableStream<unknown> | grpc.ClientDuplexStream<unknown, unknown>;

export interface ClientOptions {
  /** Default: plaintext. */
  credentials?: grpc.ChannelCredentials;
  /** Largest message taken or sent. Default 64 MiB; a server has a limit of its own. */
  messageBytesMax?: number;
}

/** @param address host:port */
export function createClient<Client, Handlers>(
  contract: Contract<Client, Handlers>,
  address: string,
  options: ClientOptions = {},
): RpcClient<Client> {
  const { credentials = grpc.credentials.createInsecure(), messageBytesMax = messageBytesDefault } = options;
  const client = new grpc.Client(address, credentials, {
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_send_message_length': messageBytesMax,
    'grpc-node.flow_control_window': 4 * 1024 * 1024,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
    // While a call is open: a watch would wait for ever on a connection whose other end is gone without a word.
    'grpc.keepalive_time_ms': 30_000,
  });
  const methods: Record<string, unknown> = { close: () => client.close() };
  for (const [name, method] of Object.entries(contract.definition)) {
    methods[name[0]!.toLowerCase() + name.slice(1)] = bind(client, method);
  }
  return methods as RpcClient<Client>;
}

function bind(client: grpc.Client, method: grpc.MethodDefinition<unknown, unknown>): unknown {
  const { path, requestSerialize: serialize, responseDeserialize: deserialize, requestStream, responseStream } = method;
  if (responseStream) {
    // A call starts with the first `next()`: grpc-js throws the error of a call that nobody reads at the process.
    return (request: unknown, options: CallOptions = {}) =>
      read(
        () => {
          const [metadata, callOptions] = translate(options, null);
          return requestStream
            ? client.makeBidiStreamRequest(path, serialize, deserialize, metadata, callOptions)
            : client.makeServerStreamRequest(path, serialize, deserialize, request, metadata, callOptions);
        },
        requestStream ? (request as AsyncIterable<unknown>) : null,
        options.signal,
      );
  }
  return (request: unknown, options: CallOptions = {}) =>
    new Promise((resolve, reject) => {
      const [metadata, callOptions] = translate(options, requestStream ? null : unaryTimeoutMs);
      const settle = (error: grpc.ServiceError | null, response?: unknown) => {
        options.signal?.removeEventListener('abort', cancel);
        error ? reject(RpcError.from(error)) : resolve(response);
      };
      const call = requestStream
        ? client.makeClientStreamRequest(path, serialize, deserialize, metadata, callOptions, settle)
        : client.makeUnaryRequest(path, serialize, deserialize, request, metadata, callOptions, settle);
      const cancel = () => call.cancel();
      onAbort(options.signal, cancel);
      if (requestStream) {
        send(call as grpc.ClientWritableStream<unknown>, request as AsyncIterable<unknown>).catch((error) => {
          call.cancel();
          reject(error);
        });
      }
    });
}

function translate(options: CallOptions, timeoutMs: number | null): [grpc.Metadata, grpc.CallOptions] {
  const metadata = options.metadata?.clone() ?? new grpc.Metadata();
  metadata.setOptions({ waitForReady: options.waitForReady ?? false });
  const limit = options.timeoutMs ?? timeoutMs;
  return [metadata, limit === null ? {} : { deadline: Date.now() + limit }];
}

function onAbort(signal: AbortSignal | undefined, cancel: () => void): void {
  if (signal?.aborted) {
    cancel();
  } else {
    signal?.addEventListener('abort', cancel, { once: true });
  }
}

async function* read(
  start: () => Call,
  requests: AsyncIterable<unknown> | null,
  signal: AbortSignal | undefined,
): AsyncGenerator<unknown, void> {
  const call = start();
  const cancel = () => call.cancel();
  onAbort(signal, cancel);
  // A call that is left early ends with CANCELLED after nobody listens any more.
  call.on('error', () => undefined);
  let sendError: unknown = null;
  if (requests) {
    send(call as grpc.ClientDuplexStream<unknown, unknown>, requests).catch((error) => {
      sendError = error;
      call.cancel();
    });
  }
  try {
    yield* call as AsyncIterable<unknown>;
  } catch (error) {
    throw sendError ?? RpcError.from(error);
  } finally {
    signal?.removeEventListener('abort', cancel);
    call.cancel();
  }
}

type Writable = grpc.ClientWritableStream<unknown> | grpc.ClientDuplexStream<unknown, unknown>;

/** Writes at the pace of the receiver; stops without a word when the call has ended. */
async function send(call: Writable, requests: AsyncIterable<unknown>): Promise<void> {
  let ended = false;
  let wake = () => {};
  const stop = () => {
    ended = true;
    wake();
  };
  call
    .on('status', stop)
    .on('error', stop)
    .on('drain', () => wake());
  for await (const request of requests) {
    if (ended) {
      return;
    }
    if (!call.write(request)) {
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (ended || !call.writableNeedDrain) {
          resolve();
        }
      });
    }
  }
  call.end();
}
