import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { expect } from 'vitest';

interface Operation {
  operationId: string;
  requestBody?: unknown;
  responses: Record<string, { content?: Record<string, unknown> }>;
}

const mediaType = 'application/json';
/** What stands in a JSON pointer for a key. */
const escaped = (key: string) => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'));

/** An OpenAPI document, and whether what goes over the wire is as it says. */
export class ApiDocument {
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });

  private constructor(readonly json: { openapi: string; paths: Record<string, Record<string, Operation>> }) {
    this.#ajv.addSchema(json, 'document');
  }

  static async of(port: number): Promise<ApiDocument> {
    const response = await fetch(`http://127.0.0.1:${port}/openapi.json`);
    expect(response.status).toBe(200);
    return new ApiDocument((await response.json()) as ApiDocument['json']);
  }

  /** The path of the document that a URL's path belongs to, the one with the fewest parameters. */
  pathOf(method: string, urlPath: string): string {
    const found = Object.keys(this.json.paths)
      .filter((path) => this.json.paths[path]![method.toLowerCase()])
      .filter((path) => new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/:]+')}$`).test(urlPath))
      .sort((a, b) => a.split('{').length - b.split('{').length);
    expect(found, `${method} ${urlPath}`).not.toHaveLength(0);
    return found[0]!;
  }

  /** Whether the document allows a request's JSON. */
  allows(method: string, urlPath: string, body: unknown): boolean {
    const path = this.pathOf(method, urlPath);
    return this.#schema(path, method, 'requestBody')(body) as boolean;
  }

  /** Expects an answer to be as the document says. */
  expectAnswer(method: string, urlPath: string, status: number, body: unknown): void {
    const path = this.pathOf(method, urlPath);
    const { responses } = this.json.paths[path]![method.toLowerCase()]!;
    const key = String(status) in responses ? String(status) : 'default';
    if (!responses[key]!.content) {
      expect(body).toBe('');
      return;
    }
    const validate = this.#schema(path, method, `responses/${key}`);
    validate(body);
    expect(validate.errors ?? [], `${method} ${urlPath} ${status} ${JSON.stringify(body)}`).toEqual([]);
  }

  #schema(path: string, method: string, place: string): ValidateFunction {
    const pointer = ['paths', escaped(path), method.toLowerCase(), place, 'content', escaped(mediaType), 'schema'];
    return this.#ajv.getSchema(`document#/${pointer.join('/')}`) as ValidateFunction;
  }
}
