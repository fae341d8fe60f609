import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import type { Logger } from '../platform/log.js';
import { readBody } from './body.js';
import { BodyBudget, BodyShare } from './body-budget.js';
import { compressAnswer } from './compression.js';
import { explainError } from './http-error.js';

declare module 'fastify' {
  interface FastifyRequest {
    bodyShare: BodyShare;
  }
}

const requestIdHeader = 'x-request-id';
/** What gRPC takes as a header too. */
const requestIdForm = /^[ -~]{1,100}$/;

/** Refusals of a body before its end: the rest of it is not read. */
const unread = new Set([413, 415, 429]);

/** Time for a whole request to arrive; a caller that is slower holds memory and a connection for nothing. */
const arrivalMsMax = 300_000;

export interface BodyLimits {
  /** Most bytes of one body, decompressed. */
  messageBytesMax: number;
  /** Of those of all requests in flight together. */
  bodiesBytesMax: number;
}

/** An HTTP server that reads bodies of any type and answers every failure as `{"error": "..."}`. */
export function createApp(log: Logger, { messageBytesMax, bodiesBytesMax }: BodyLimits): FastifyInstance {
  const budget = new BodyBudget(bodiesBytesMax);
  const app = fastify({
    bodyLimit: messageBytesMax,
    forceCloseConnections: 'idle',
    requestTimeout: arrivalMsMax,
    genReqId: ({ headers }) => {
      const given = headers[requestIdHeader];
      return typeof given === 'string' && requestIdForm.test(given) ? given : randomUUID();
    },
  });
  // Clients of the protocol leave the content type out, or send `application/octet-stream`.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', async ({ headers, bodyShare }: FastifyRequest, stream: IncomingMessage) =>
    readBody(stream, headers, messageBytesMax, bodyShare),
  );
  app.addHook('onSend', compressAnswer);
  app.addHook('onRequest', async (request, reply) => {
    reply.header(requestIdHeader, request.id);
    const share = new BodyShare(budget);
    request.bodyShare = share;
    // Once the answer has gone out, or the caller has hung up.
    reply.raw.once('close', () => share.release());
  });
  app.setErrorHandler((error, request, reply) => {
    const known = explainError(error);
    if (!known) {
      log.error({ err: error, requestId: request.id }, 'internal error');
    }
    if (known && unread.has(known.status)) {
      reply.header('connection', 'close');
    }
    const { status, message } = known ?? { status: 500, message: `Internal error (request ${request.id}).` };
    return reply.code(status).send({ error: message });
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ error: `There is no ${request.method} ${request.url}.` }),
  );
  return app;
}
