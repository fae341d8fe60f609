import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { clip } from '../platform/errors.js';
import { HttpError } from './http-error.js';
import { parseJson } from './json.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route as the OpenAPI document names it. */
    path?: string;
  }
}

/** One call of a route. */
export interface Call {
  request: FastifyRequest;
  reply: FastifyReply;
  /** Of the path. */
  params: Record<string, string>;
  body: Buffer;
}

/** A body that is not JSON. */
export interface Media {
  type: string;
  means: string;
}

/** A route, and what the OpenAPI document says of it. */
export interface Route {
  method: 'GET' | 'POST';
  /** As OpenAPI writes it, for example `/v2/models/{model}/infer`. */
  path: string;
  /** A name for programs, unique. */
  operation: string;
  summary: string;
  /** JSON of the request; null: the route takes none. */
  takes: z.ZodType | null;
  /** JSON of the answer; null: there is none. */
  gives: z.ZodType | null;
  /** Other statuses than 200 that carry the same JSON. */
  alsoGives?: { status: number; means: string }[];
  /** What is taken and given beside JSON. */
  otherMedia?: { takes?: Media; gives?: Media };
  handle(call: Call): Promise<unknown>;
}

export function addRoutes(app: FastifyInstance, routes: readonly Route[]): void {
  for (const { method, path, handle } of routes) {
    app.route({
      method,
      url: toPattern(path),
      config: { path },
      handler: (request, reply) =>
        handle({
          request,
          reply,
          params: request.params as Record<string, string>,
          body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
        }),
    });
  }
}

/** In fastify's words: a colon that is only a colon is doubled, and a parameter before one is told to end there. */
function toPattern(path: string): string {
  return path.replaceAll(/\{(\w+)\}(:?)/g, (_, name, colon) => (colon ? `:${name}(^[^:/]+)::` : `:${name}`));
}

const issuesShown = 5;
const issueCharsMax = 200;

/** A value as the schema has it; what is wrong with it is said by the field. */
export function check<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const { issues } = parsed.error;
    const shown = issues
      .slice(0, issuesShown)
      .map(({ path, message }) => clip(`${fieldName(path) || 'the body'}: ${message}`, issueCharsMax));
    const more = issues.length > issuesShown ? `; and ${issues.length - issuesShown} more` : '';
    throw new HttpError(400, `The request is not as the protocol has it. ${shown.join('; ')}${more}.`);
  }
  return parsed.data;
}

/** `inputs[0].shape` */
function fieldName(path: PropertyKey[]): string {
  return path.reduce<string>(
    (name, key) => (typeof key === 'number' ? `${name}[${key}]` : `${name}${name ? '.' : ''}${String(key)}`),
    '',
  );
}

/** The JSON of a body; an empty one is an empty object, as Triton's clients send it. */
export function checkBody<T extends z.ZodType>(schema: T, body: Buffer): z.output<T> {
  return check(schema, body.length === 0 ? {} : parseJson(body));
}
