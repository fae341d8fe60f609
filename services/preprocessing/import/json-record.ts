import { quote } from '../../platform/errors.js';

/** A field of a JSON object, as it is written: a number keeps its digits. */
export type JsonField =
  | { kind: 'null' }
  | { kind: 'boolean'; value: boolean }
  | { kind: 'number'; text: string }
  | { kind: 'text'; value: string }
  | { kind: 'numbers'; texts: string[] }
  /** Its own fields come next, each under both names: those of `a` are `a.b`, `a.c`. */
  | { kind: 'object' };

/** A text that is no JSON object of such fields; the message says what was expected. */
export class JsonRecordError extends Error {
  override readonly name = 'JsonRecordError';
}

const space = /[ \t\r\n]*/y;
const stringPattern = /"[ !#-[\]-\uffff]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[ !#-[\]-\uffff]*)*"/y;
const numberPattern = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const wordPattern = /true|false|null/y;
const expectedField = 'text, a number, true, false, null, a list of numbers or an object';
const depthMax = 32;
const otherLists =
  'Write null for a list that is missing, and a field for each value or a Parquet file for lists of anything but numbers';

/**
 * Reads an object of texts, numbers, booleans, nulls, lists of numbers and further objects, strictly by RFC 8259. `JSON.parse` would round
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
    const names = new Set<string>();
    this.#fields((name, field) => {
      if (names.has(name)) {
        throw new JsonRecordError(`Expected each field once but ${JSON.stringify(name)} comes twice`);
      }
      names.add(name);
      onField(name, field);
    });
    this.#skipSpace();
    if (this.#at < this.text.length) {
      this.#refuse('nothing after the object');
    }
  }

  /** @param prefix of the names, of the objects around this one. @param depth how many those are, and this */
  #fields(onField: (name: string, field: JsonField) => void, prefix = '', depth = 1): void {
    this.#expect('{', 'an object, { ... }');
    if (this.#take('}')) {
      return;
    }
    const around = this.field;
    do {
      this.#skipSpace();
      const own = this.#string() ?? this.#refuse('the name of a field in quotes');
      const name = prefix + own;
      this.#expect(':', `a colon after ${JSON.stringify(own)}`);
      this.field = name;
      this.#skipSpace();
      if (this.text[this.#at] === '{') {
        if (own === '' || depth === depthMax) {
          const expected = own === '' ? 'objects with names' : `objects at most ${depthMax} deep`;
          throw new JsonRecordError(`Expected ${expected} but received one more in ${JSON.stringify(name)}`);
        }
        onField(name, { kind: 'object' });
        this.#fields(onField, `${name}.`, depth + 1);
      } else {
        onField(name, this.#field(name));
      }
      this.field = around;
    } while (this.#take(','));
    this.#expect('}', 'a comma or the end of the object');
  }

  #field(name: string): JsonField {
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
    if (!this.#take('[')) {
      this.#refuse(`${JSON.stringify(name)} to be ${expectedField}`);
    }
    const texts: string[] = [];
    do {
      this.#skipSpace();
      texts.push(
        this.#match(numberPattern) ?? this.#refuse(`the list ${JSON.stringify(name)} to hold numbers`, otherLists),
      );
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

  /** @param hint what to do, unless the line just breaks off */
  #refuse(expected: string, hint = ''): never {
    const rest = this.text.slice(this.#at, this.#at + 40);
    const received = rest === '' ? 'the line ends' : `received ${quote(rest)}`;
    const message = `Expected ${expected}, but ${received} at character ${this.#at + 1}`;
    throw new JsonRecordError(hint === '' || rest === '' ? message : `${message}. ${hint}`);
  }
}
