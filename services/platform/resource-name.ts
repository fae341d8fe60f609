import { invalidField } from './errors.js';

const idPattern = /^[a-z][a-z0-9-]{0,62}$/;

/** What an id may be, for messages. */
export const idRule = '1 to 63 of a-z, 0-9 and -, starting with a letter';

/** Whether a text can be one segment of a resource name that its owner chose. */
export function isId(text: string): boolean {
  return idPattern.test(text);
}

type Variables<P extends string> = P extends `${infer Head}/${infer Tail}`
  ? Variables<Head> & Variables<Tail>
  : P extends `{${infer Name}}`
    ? { [K in Name]: string }
    : unknown;

/** The form of a resource's name, for example `models/{model}/versions/{version}` (AIP-122). */
export class ResourceName<P extends string> {
  readonly #segments: string[];

  constructor(readonly pattern: P) {
    this.#segments = pattern.split('/');
  }

  /** The variables in `name`, or null when it has another form. A `version` must be a positive integer. */
  match(name: string): Variables<P> | null {
    const parts = name.split('/');
    if (parts.length !== this.#segments.length) {
      return null;
    }
    const variables: Record<string, string> = {};
    for (const [i, segment] of this.#segments.entries()) {
      const part = parts[i]!;
      const variable = /^\{(.+)\}$/.exec(segment)?.[1];
      if (variable === undefined ? part !== segment : !isValidId(variable, part)) {
        return null;
      }
      if (variable !== undefined) {
        variables[variable] = part;
      }
    }
    return variables as Variables<P>;
  }

  /** As `match`, but refuses another form with INVALID_ARGUMENT, naming `field`. */
  parse(name: string, field: string): Variables<P> {
    const variables = this.match(name);
    if (!variables) {
      throw invalidField(
        field,
        `Expected \`${field}\` to be like ${this.pattern} (${idRule}) but received ${JSON.stringify(name)}.`,
      );
    }
    return variables;
  }

  format(variables: Variables<P>): string {
    return this.pattern.replace(/\{(.+?)\}/g, (_, name: string) => (variables as Record<string, string>)[name]!);
  }
}

function isValidId(variable: string, id: string): boolean {
  return variable === 'version' ? /^[1-9]\d{0,14}$/.test(id) : isId(id);
}

/** Refuses an id that cannot be part of a resource name. */
export function checkId(id: string, field: string): void {
  if (!isId(id)) {
    throw invalidField(field, `Expected \`${field}\` to be ${idRule} but received ${JSON.stringify(id)}.`);
  }
}
