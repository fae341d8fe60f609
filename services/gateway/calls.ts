import * as grpc from '@grpc/grpc-js';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CallOptions } from '../../proto/index.js';

/** Headers that the services behind know too: the key of a traffic split, and the trace that a call belongs to. */
const passedOn = ['x-routing-key', 'traceparent', 'tracestate'];

/** Options of the gRPC call that answers a request: it ends when the caller hangs up, and has the request's id. */
export function optionsOf({ request, reply }: { request: FastifyRequest; reply: FastifyReply }): CallOptions {
  const controller = new AbortController();
  reply.raw.on('close', () => {
    if (!reply.raw.writableFinished) {
      controller.abort();
    }
  });
  const metadata = new grpc.Metadata();
  metadata.set('x-request-id', request.id);
  for (const name of passedOn) {
    const value = request.headers[name];
    if (typeof value === 'string' && headerForm.test(value)) {
      metadata.set(name, value);
    }
  }
  return { signal: controller.signal, metadata };
}

/** What gRPC takes as the value of a header. */
const headerForm = /^[ -~]+$/;
