import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import { RpcError } from '../../proto/index.js';
import type { ReadViolation } from './plain-message.js';
import { keyOfFlag } from './word-values.js';

/** Something wrong with a specification, and where it is written; null: a service named a field that is not of the file. */
export interface SpecViolation extends ReadViolation {
  position: Position | null;
}

/** Both from 1. */
export interface Position {
  line: number;
  column: number;
}

/** A specification that cannot be used: all that is wrong with it, at once, a line each as `FILE:LINE:COLUMN: what`. */
export class InvalidSpecError extends Error {
  override readonly name = 'InvalidSpecError';

  /** @param readable what could be read of it, as a message; null: nothing could */
  constructor(
    readonly fieldViolations: SpecViolation[],
    file: string,
    readonly readable: object | null = null,
    options?: ErrorOptions,
  ) {
    const lines = fieldViolations.map(({ position, description }) =>
      position ? `${file}:${position.line}:${position.column}: ${description}` : description,
    );
    super(lines.join('\n'), options);
  }
}

/** Where in a file the fields of a request are written, by their names: `spec` at '' where the file is the spec itself. */
export type RequestFields = Record<string, string>;

/** Of a request that has a training spec, and in a tuning what is searched of it. */
export const trainingFields: RequestFields = { spec: '', tune: 'tune' };

/** A specification as somebody wrote it, in YAML or JSON: what it says, and in which line. */
export class SpecText {
  readonly value: unknown;
  readonly #document: Document;
  readonly #lines = new LineCounter();

  /** @param file what the text is called in messages @throws InvalidSpecError for text that is not YAML */
  constructor(
    text: string,
    readonly file = 'spec',
  ) {
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
    const { errors } = this.#document;
    if (errors.length > 0) {
      const violations = errors.map(({ message, pos }) => ({
        field: '',
        description: message.trim(),
        position: this.#positionOf(pos[0]),
      }));
      throw new InvalidSpecError(violations, file);
    }
    this.value = this.#document.toJS();
  }

  /** @param violations of fields as the file has them, `network.layers[0].units` @param readable as of the error */
  refusal(violations: ReadViolation[], readable: object): InvalidSpecError {
    return this.#refusal(violations, ({ field }) => this.locate(field), readable);
  }

  /**
   * What `read` makes of it. Where that refuses something, `check` has a service look at the rest, so that all is told together; when no
   * service answers, what was found without it. @throws InvalidSpecError
   */
  async reading<Message extends object>(
    fields: RequestFields,
    read: () => Message,
    check: (readable: Message) => Promise<unknown>,
  ): Promise<Message> {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof InvalidSpecError) || !error.readable) {
        throw error;
      }
      const { fieldViolations: unread, readable } = error;
      const told = await this.telling(fields, () => check(readable as Message)).then(
        () => [],
        (refusal) => (refusal instanceof InvalidSpecError ? refusal.fieldViolations : []),
      );
      // What follows from what could not be read is not told: it may be right.
      const more = told.filter(({ field }) => !unread.some((one) => concerns(one, field)));
      throw sorted([...unread, ...more], this.file, readable);
    }
  }

  /** What a call comes to. What a service refuses of this specification is told under the names and with the lines of the file. */
  async telling<Answer>(fields: RequestFields, call: () => Promise<Answer>): Promise<Answer> {
    try {
      return await call();
    } catch (error) {
      const violations = error instanceof RpcError ? error.details.fieldViolations : [];
      if (!violations.some(({ field }) => fileField(field, fields) !== null)) {
        throw error;
      }
      const named = violations.map(({ field, description }) => ({
        field: fileField(field, fields) ?? field,
        description: description.replace(/`([^`]+)`/g, (_, name: string) => `\`${fileField(name, fields) || name}\``),
        isOfFile: fileField(field, fields) !== null,
      }));
      const locate = ({ field, isOfFile }: (typeof named)[number]) => (isOfFile ? this.locate(field) : null);
      throw this.#refusal(named, locate, null, { cause: error });
    }
  }

  /**
   * Where a field is written: its key, or the item of a list. Of a field that is not there, where the innermost is in which it
   * would be.
   */
  locate(field: string): Position {
    let node: unknown = this.#document.contents;
    let offset = (node as Node | null)?.range?.[0] ?? 0;
    for (const segment of segments(field)) {
      const found = this.#entry(node, segment);
      if (!found) {
        break;
      }
      node = found.value;
      offset = found.offset;
    }
    return this.#positionOf(offset);
  }

  #entry(node: unknown, segment: string | number): { value: unknown; offset: number } | null {
    const inner = isAlias(node) ? node.resolve(this.#document) : node;
    if (isSeq(inner) && typeof segment === 'number') {
      const item = inner.items[segment] as Node | undefined;
      return item ? { value: item, offset: item.range![0] } : null;
    }
    if (!isMap(inner)) {
      return null;
    }
    const pair = pairOf(inner.items, String(segment)) ?? pairOf(inner.items, keyOfFlag(String(segment)));
    return pair ? { value: pair.value, offset: (pair.key as Node).range![0] } : null;
  }

  #positionOf(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { line, column: col };
  }

  #refusal<Violation extends ReadViolation>(
    violations: Violation[],
    locate: (violation: Violation) => Position | null,
    readable: object | null,
    options?: ErrorOptions,
  ): InvalidSpecError {
    const located = violations.map((violation) => {
      const { field, description, meant } = violation;
      return { field, description, ...(meant !== undefined && { meant }), position: locate(violation) };
    });
    return sorted(located, this.file, readable, options);
  }
}

function sorted(
  violations: SpecViolation[],
  file: string,
  readable: object | null,
  options?: ErrorOptions,
): InvalidSpecError {
  const inOrder = violations.sort((a, b) => compare(a.position, b.position));
  return new InvalidSpecError(inOrder, file, readable, options);
}

/** Whether a field is, holds, or lies within what could not be read. Of a list whose item could not be, that is all of it. */
function concerns({ field, meant = field }: SpecViolation, other: string): boolean {
  return [field.replace(/\[[^[]*\]$/, ''), meant].some((one) => isWithin(one, other) || isWithin(other, one));
}

function isWithin(field: string, outer: string): boolean {
  return field === outer || outer === '' || (field.startsWith(outer) && /^[.[]/.test(field.slice(outer.length)));
}

/** In the order of the file; what is not of it comes last. */
function compare(a: Position | null, b: Position | null): number {
  return a && b ? a.line - b.line || a.column - b.column : Number(a === null) - Number(b === null);
}

function pairOf(pairs: Pair[], name: string | null): Pair | undefined {
  return pairs.find(({ key }) => isScalar(key) && String(key.value ?? '') === name);
}

/** `layers[0].weights["a.b"]` as layers, 0, weights, a.b. */
function segments(field: string): (string | number)[] {
  const found = field.matchAll(/\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|([^.[\]]+)/g);
  return Array.from(found, ([, index, name, word]) =>
    index !== undefined ? Number(index) : name !== undefined ? (JSON.parse(`"${name}"`) as string) : word!,
  );
}

/** A field of a request as the file has it; null: it is not of the file. */
function fileField(field: string, fields: RequestFields): string | null {
  const [root] = /^\w+/.exec(field) ?? [''];
  if (!Object.hasOwn(fields, root)) {
    return null;
  }
  const rest = field.slice(root.length);
  const target = fields[root]!;
  return target ? `${target}${rest}` : rest.replace(/^\./, '');
}
