import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import type { Logger } from '../platform/log.js';
import { messageBytesMax } from '../platform/server.js';
import { readBody } from './body.js';
import { compressAnswer } from './compression.js';
import { explainError } from './http-error.js';

const requestIdHeader = 'x-request-id';
/** What gRPC takes as a header too. */
const requestIdForm = /^[ -~]{1,100}$/;

/** An HTTP server that reads bodies of any type and answers every failure as `{"error": "..."}`. */
export function createApp(log: Logger): FastifyInstance {
  const app = fastify({
    bodyLimit: messageBytesMax,
    forceCloseConnections: 'idle',
    genReqId: ({ headers }) => {
      const given = headers[requestIdHeader];
      return typeof given === 'string' && requestIdForm.test(given) ? given : randomUUID();
    },
  });
  // Clients of the protocol leave the content type out, or send `application/octet-stream`.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', async ({ headers }: FastifyRequest, stream: IncomingMessage) =>
    readBody(stream, headers, messageBytesMax),
  );
  app.addHook('onSend', compressAnswer);
  app.addHook('onRequest', async (request, reply) => {
    reply.header(requestIdHeader, request.id);
  });
  app.setErrorHandler((error, request, reply) => {
    const known = explainError(error);
    if (!known) {
      log.error({ err: error, requestId: request.id }, 'internal error');
    }
    if (known?.status === 413) {
      // What is left of the body is not read.
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
