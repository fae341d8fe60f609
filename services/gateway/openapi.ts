import { createRequire } from 'node:module';
import { z } from 'zod';
import type { Media, Route } from './routes.js';

const { version } = createRequire(import.meta.url)('#package') as { version: string };

type Json = Record<string, unknown>;

const errorAnswer = z.object({ error: z.string() });

/** The routes, and one more that describes all of them (OpenAPI 3.1). */
export function describeRoutes(routes: readonly Route[]): Route[] {
  let text: string | null = null;
  const described: Route[] = [
    ...routes,
    {
      method: 'GET',
      path: '/openapi.json',
      operation: 'openapi',
      summary: 'This document.',
      takes: null,
      gives: z.looseObject({ openapi: z.string() }),
      async handle({ reply }) {
        text ??= JSON.stringify(documentOf(described));
        return reply.type('application/json').send(text);
      },
    },
  ];
  return described;
}

function documentOf(routes: readonly Route[]): Json {
  const schemas = new Schemas();
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(route, schemas) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Millrace',
      version,
      description: "The Open Inference Protocol v2 with Triton's extensions, and predictions from raw records.",
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [],
    paths,
    components: { schemas: schemas.json },
  };
}

/** Each schema once, named after the operation that was first with it. */
class Schemas {
  readonly json: Json = {};
  readonly #names = new Map<z.ZodType, string>();

  /** @param io the side of the schema: what a caller sends, or what comes back */
  refer(schema: z.ZodType, name: string, io: 'input' | 'output'): Json {
    let known = this.#names.get(schema);
    if (!known) {
      known = name[0]!.toUpperCase() + name.slice(1);
      // OpenAPI 3.1 takes JSON Schema 2020-12 as it is. What is checked by hand says in its `meta` what it is.
      const { $schema: _, ...json } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
      this.json[known] = json;
      this.#names.set(schema, known);
    }
    return { $ref: `#/components/schemas/${known}` };
  }
}

function operationOf({ path, operation, summary, takes, gives, ...route }: Route, schemas: Schemas): Json {
  const { alsoGives = [], otherMedia = {} } = route;
  const request = takes && schemas.refer(takes, `${operation}Request`, 'input');
  const answer = contentOf(gives && schemas.refer(gives, `${operation}Answer`, 'output'), otherMedia.gives);
  const error = contentOf(schemas.refer(errorAnswer, 'error', 'output'));
  const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  // An empty body is taken for an empty object.
  const required = takes !== null && !takes.safeParse({}).success;
  return {
    operationId: operation,
    summary,
    parameters,
    ...(request ? { requestBody: { required, ...contentOf(request, otherMedia.takes) } } : {}),
    responses: {
      200: { description: 'Done.', ...answer },
      ...Object.fromEntries(alsoGives.map(({ status, means }) => [status, { description: means, ...answer }])),
      default: { description: 'Why not.', ...error },
    },
  };
}

function contentOf(schema: Json | null, other?: Media): Json {
  const content = {
    ...(schema ? { 'application/json': { schema } } : {}),
    ...(other ? { [other.type]: { schema: { description: other.means } } } : {}),
  };
  return Object.keys(content).length === 0 ? {} : { content };
}
