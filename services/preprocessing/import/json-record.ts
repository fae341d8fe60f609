import { quote } from '../../platform/errors.js';

/** A field of a JSON object, as it is written: a number keeps its digits. */
export type JsonField =
  | { kind: 'null' }
  | { kind: 'boolean'; value: boolean }
  | { kind: 'number'; text: string }
  | { kind: 'text'; value: string }
  | { kind: 'numbers'; texts: string[] };

/** A text that is no JSON object of such fields; the message says what was expected. */
export class JsonRecordError extends Error {
  override readonly name = 'JsonRecordError';
}

const space = /[ \t\r\n]*/y;
const stringPattern = /"[ !#-[\]-\uffff]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[ !#-[\]-\uffff]*)*"/y;
const numberPattern = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const wordPattern = /true|false|null/y;
const expectedField = 'text, a number, true, false, null or a list of numbers';

/**
 * Reads an object of texts, numbers, booleans, nulls and lists of numbers, strictly by RFC 8259. `JSON.parse` would round
 * integers of more than 53 bits, take 1.0 for 1 and keep one of two fields with the same name.
 */
export function readJsonRecord(text: string, onField: (name: string, field: JsonField) => void): void {
  new Reader(text).object(onField);
}

/** The name of the field that the text breaks off in; null: in none. */
export function fieldAtEnd(text: string): string | null {
  const reader = new Reader(text);
  try {
    reader.object(() => {});
  } catch (error) {
    if (!(error instanceof JsonRecordError)) {
      throw error;
    }
  }
  return reader.field;
}

class Reader {
  #at = 0;
  /** Whose value is being read; null: none. */
  field: string | null = null;

  constructor(private readonly text: string) {}

  object(onField: (name: string, field: JsonField) => void): void {
    this.#expect('{', 'an object, { ... }');
    const names = new Set<string>();
    if (!this.#take('}')) {
      do {
        this.#skipSpace();
        const name = this.#string() ?? this.#refuse('the name of a field in quotes');
        if (names.has(name)) {
          throw new JsonRecordError(`Expected each field once but ${JSON.stringify(name)} comes twice`);
        }
        names.add(name);
        this.#expect(':', `a colon after ${JSON.stringify(name)}`);
        this.field = name;
        onField(name, this.#field(name));
        this.field = null;
      } while (this.#take(','));
      this.#expect('}', 'a comma or the end of the object');
    }
    this.#skipSpace();
    if (this.#at < this.text.length) {
      this.#refuse('nothing after the object');
    }
  }

  #field(name: string): JsonField {
    this.#skipSpace();
    const number = this.#match(numberPattern);
    if (number !== null) {
      return { kind: 'number', text: number };
    }
    const text = this.#string();
    if (text !== null) {
      return { kind: 'text', value: text };
    }
    const word = this.#match(wordPattern);
    if (word !== null) {
      return word === 'null' ? { kind: 'null' } : { kind: 'boolean', value: word === 'true' };
    }
    return this.#numbers(name);
  }

  #numbers(name: string): JsonField {
    const expected = `${JSON.stringify(name)} to be ${expectedField}`;
    if (!this.#take('[')) {
      this.#refuse(expected);
    }
    const texts: string[] = [];
    do {
      this.#skipSpace();
      texts.push(this.#match(numberPattern) ?? this.#refuse(expected));
    } while (this.#take(','));
    this.#expect(']', 'a comma or the end of the list');
    return { kind: 'numbers', texts };
  }

  #string(): string | null {
    const raw = this.#match(stringPattern);
    if (raw === null) {
      return null;
    }
    const value = raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1);
    if (/\p{Surrogate}/u.test(value)) {
      const where = this.field === null ? '' : ` in column ${JSON.stringify(this.field)}`;
      throw new JsonRecordError(`Expected Unicode${where} but received half of a surrogate pair (\\ud800 to \\udfff)`);
    }
    return value;
  }

  #skipSpace(): void {
    this.#match(space);
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text);
    if (!found) {
      return null;
    }
    this.#at = pattern.lastIndex;
    return found[0];
  }

  #take(character: string): boolean {
    this.#skipSpace();
    const isThere = this.text[this.#at] === character;
    this.#at += isThere ? 1 : 0;
    return isThere;
  }

  #expect(character: string, expected: string): void {
    if (!this.#take(character)) {
      this.#refuse(expected);
    }
  }

  #refuse(expected: string): never {
    const rest = this.text.slice(this.#at, this.#at + 40);
    const received = rest === '' ? 'the line ends' : `received ${quote(rest)}`;
    throw new JsonRecordError(`Expected ${expected}, but ${received} at character ${this.#at + 1}`);
  }
}
